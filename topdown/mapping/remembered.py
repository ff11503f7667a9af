"""What is worked out once and kept, up to a number of entries: long lists must not fill the memory of a worker."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """A dictionary of at most ``most`` entries that forgets what was not asked for longest, half of them at a time.

    Entries are in a young and an old half. What is found in the old one moves to the young one; when that is full, it becomes
    the old one and what was still there is forgotten. Keeping the order of every single use would cost more than it saves.

    Parameters
    ----------
    most : int
        At least 2.
    """

    __slots__ = ("_half", "_old", "_young")

    def __init__(self, most: int) -> None:
        if most < 2:
            raise ValueError(f"at least two entries, got {most}")
        self._half = most // 2
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """The value of ``key``, or ``None`` where it is not known or no longer."""
        value = self._young.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self[key] = value
        return value

    def __setitem__(self, key: K, value: V) -> None:
        if len(self._young) >= self._half and key not in self._young:
            self._old, self._young = self._young, {}
        self._young[key] = value

    def __contains__(self, key: K) -> bool:
        return key in self._young or key in self._old

    def __len__(self) -> int:
        return len(self._young) + sum(key not in self._young for key in self._old)

    def clear(self) -> None:
        """Forget everything."""
        self._young, self._old = {}, {}
