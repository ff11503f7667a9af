"""Being told to stop: signals become a flag that long work looks at between steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType


class StopNow(BaseException):
    """Raised where work that holds nothing worth saving is told to stop."""

    def __init__(self, number: int) -> None:
        self.signal = signal.Signals(number)
        super().__init__(self.signal.name)


class StopFlag:
    """What a signal has asked for.

    Attributes
    ----------
    signal : signal.Signals or None
        The first signal that came.
    immediate : bool
        Whether a signal raises :class:`StopNow` at once, instead of waiting to be looked at.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self.immediate = False

    @property
    def requested(self) -> bool:
        """Whether a signal has come."""
        return self.signal is not None

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        if self.signal is None:
            self.signal = signal.Signals(number)
        if self.immediate:
            raise StopNow(number)


@contextmanager
def stop_signals(names: Sequence[str] = ("SIGINT", "SIGTERM", "SIGUSR1")) -> Iterator[StopFlag]:
    """While it lasts, these signals set the flag; Ctrl-C a second time is immediate.

    Batch systems send SIGTERM, or SIGUSR1 on request, before they kill. Signals this system does not have are left out, and
    outside the main thread, where none arrive, the flag is never set.
    """
    flag = StopFlag()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    numbers = [signal.Signals[name] for name in names if hasattr(signal, name)]
    before = [(number, signal.signal(number, flag._remember)) for number in numbers]
    try:
        yield flag
    finally:
        for number, handler in before:
            signal.signal(number, handler or signal.SIG_DFL)
