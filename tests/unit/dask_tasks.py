"""What the workers of a Dask cluster are asked to do in tests; workers import it by name."""

from __future__ import annotations

import os
import signal
from pathlib import Path


def square(task: tuple[int, str]) -> int:
    """n², after the worker that first gets 3 has died of it."""
    n, folder = task
    marker = Path(folder) / "died"
    if n == 3 and not marker.exists():
        marker.write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return n * n
