"""What kernels do with arrays as a whole, written as loops.

``target[:, :] = source`` in a kernel compiles the messages of NumPy's broadcasting errors too, seconds of it.
"""

from __future__ import annotations

from typing import Any

from topdown.engine._jit import helper


@helper
def copy_numbers(source: Any, target: Any) -> None:
    """``target[:] = source`` for vectors of one length."""
    for i in range(source.shape[0]):
        target[i] = source[i]


@helper
def total_of(numbers: Any) -> float:
    """``numbers.sum()``, one after the other."""
    total = 0.0
    for i in range(numbers.shape[0]):
        total += numbers[i]
    return total


@helper
def copy_some_rows(first: int, last: int, source: Any, target: Any) -> None:
    """``target[first:last] = source[first:last]`` for matrices of one shape."""
    for i in range(first, last):
        for d in range(source.shape[1]):
            target[i, d] = source[i, d]


@helper
def copy_rows(source: Any, target: Any) -> None:
    """``target[:, :] = source`` for matrices of one shape."""
    copy_some_rows(0, source.shape[0], source, target)
