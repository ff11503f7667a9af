"""Files appear whole or not at all: the writers of :mod:`topdown.resources` under the name the formats use."""

from __future__ import annotations

from topdown.resources import atomic_write_bytes, atomic_write_text

__all__ = ["atomic_write_bytes", "atomic_write_text"]
