"""Slow physics runs only when asked for; the modules in ``tests/unit`` that tests share are importable everywhere."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Before NumPy is loaded: the arrays of these tests are too small for threads, which only wait for one another.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import pytest  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent / "unit"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--validate", action="store_true", help="also run slow physics")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--validate"):
        return
    skip = pytest.mark.skip(reason="slow physics, run with --validate")
    for item in items:
        if "validate" in item.keywords:
            item.add_marker(skip)
