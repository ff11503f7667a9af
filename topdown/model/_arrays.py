"""Checks that every holder of arrays runs on construction."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from topdown.errors import SettingsError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def frozen_array(name: str, values: npt.ArrayLike, shape: tuple[int | None, ...], *, dtype: Any = np.float64) -> Any:
    """A read-only, C-contiguous copy of ``values`` after checking its shape (``None`` matches any length) and finiteness.

    Raises
    ------
    SettingsError
        When the shape differs or an entry is not finite; the message says expected and found.
    """
    array: npt.NDArray[Any] = np.array(values, dtype=dtype, order="C", copy=True)
    if array.ndim != len(shape) or any(want is not None and want != have for want, have in zip(shape, array.shape)):
        wanted = "(" + ", ".join("any" if n is None else str(n) for n in shape) + ")"
        raise SettingsError(f"{name} has shape {array.shape}, expected {wanted}")
    if not np.all(np.isfinite(array)):
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise SettingsError(f"{name}{list(first)} is not a finite number")
    array.setflags(write=False)
    return array
