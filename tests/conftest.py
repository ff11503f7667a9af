"""Slow physics runs only when asked for."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--validate", action="store_true", help="also run slow physics")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--validate"):
        return
    skip = pytest.mark.skip(reason="slow physics, run with --validate")
    for item in items:
        if "validate" in item.keywords:
            item.add_marker(skip)
