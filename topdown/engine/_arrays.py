"""What kernels do with arrays as a whole, written as loops.

``target[:, :] = source`` in a kernel compiles the messages of NumPy's broadcasting errors too, seconds of it, and ``np.zeros``
and its like are general enough to take a tenth of a second each.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from topdown.engine._jit import helper


@helper
def copy_numbers(source: Any, target: Any) -> None:
    """``target[:] = source`` for vectors of one length."""
    for i in range(source.shape[0]):
        target[i] = source[i]


@helper
def fill(array: Any, value: Any) -> None:
    """``array[:] = value`` for vectors."""
    for i in range(array.shape[0]):
        array[i] = value


@helper
def zero_matrix(n: int, m: int) -> Any:
    """``np.zeros((n, m))``."""
    matrix = np.empty((n, m))
    for i in range(n):
        for k in range(m):
            matrix[i, k] = 0.0
    return matrix


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


@helper
def first_at_least(wanted: Any, numbers: Any, begin: Any, end: Any) -> int:
    """The first of ``numbers[begin:end]``, which never fall, that is ``wanted`` or more; else ``end``."""
    while begin < end:
        middle = (begin + end) // 2
        if np.int64(numbers[middle]) < wanted:
            begin = middle + 1
        else:
            end = middle
    return int(begin)


@helper
def first_row_of(bead: Any, beads: Any, begin: Any, end: Any) -> int:
    """The first of the rows ``begin`` … ``end - 1`` of ``beads`` (n, k) whose first bead is ``bead`` or later, else ``end``.

    Rows must be in the order of molecules, and ``bead`` the first of one.
    """
    return first_at_least(bead, beads[:, 0], begin, end)


@helper
def first_of(bead: Any, beads: Any) -> int:
    """As :func:`first_row_of`, in all of a vector."""
    return first_at_least(bead, beads, 0, beads.shape[0])
