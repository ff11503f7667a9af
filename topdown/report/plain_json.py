"""Data that every reader of JSON can read."""

from __future__ import annotations

import math
from typing import Any


def without_nan(data: Any) -> Any:
    """The same data with ``None`` for every float that JSON does not have (NaN, infinity), in nested dicts, lists and tuples."""
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, dict):
        return {key: without_nan(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [without_nan(value) for value in data]
    return data
