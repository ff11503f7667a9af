"""Campaigns in child processes that kill themselves at the n-th time they touch the disk, until one gets to its end."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from synthetic_calibration import SyntheticSampler

from topdown.model import WindowSamples
from topdown.model.requests import SampleRequest
from topdown.sampling.run_store import RunStore

#: What every write goes through; a child dies before or after one of these.
_TOUCHES = ("fsync", "replace", "truncate")


class StoredSampler(SyntheticSampler):
    """The model liquid, its windows kept one by one in a run store as those of the engine are."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.store = RunStore(folder)
        self.drawn = 0

    def sample(self, requests: Sequence[SampleRequest]) -> list[WindowSamples]:
        found = []
        for request in requests:
            windows = None
            for k in range(len(getattr(request, "lambdas", (0,)))):
                text = f"{request.system} {request.table.epsilon.tolist()} {request.seed} {request.n_steps} {k}"
                key = hashlib.sha256(text.encode()).hexdigest()
                if self.store.load_window(key) is None:
                    windows = windows or self._windows(request)
                    self.drawn += 1
                    self.store.save_window(_named(windows[k], key), {})
                kept = self.store.load_window(key)
                assert kept is not None
                found.append(kept)
        return found


def _named(window: WindowSamples, key: str) -> WindowSamples:
    from dataclasses import replace

    return replace(window, key=key)


def run_and_die(work: Callable[[], object], touches: int) -> bool:
    """Do ``work`` in a forked child that kills itself (-9) at its ``touches``-th contact with the disk.

    True if it got through.
    """
    child = os.fork()
    if child == 0:
        try:
            _die_at(touches)
            work()
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return False
    assert os.WEXITSTATUS(status) == 0, "the campaign failed instead of going on"
    return True


def _die_at(touches: int) -> None:
    left = [touches]

    def counted(call: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*args: object, **options: object) -> object:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            result = call(*args, **options)
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return wrapped

    for name in _TOUCHES:
        setattr(os, name, counted(getattr(os, name)))


def kill_until_done(work: Callable[[], object], rng: np.random.Generator, longest: int, most: int = 10_000) -> int:
    """How many times ``work`` was killed, each time after 1 to ``longest`` contacts with the disk, before it got through."""
    for kills in range(most):
        if run_and_die(work, int(rng.integers(1, longest + 1))):
            return kills
    run_and_die(work, 10**9)
    return most


def contents(folder: Path) -> dict[str, bytes]:
    """Every file a campaign leaves, by its name, but for the lock and the count of runs done."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (".lock", "progress.json")
    }
