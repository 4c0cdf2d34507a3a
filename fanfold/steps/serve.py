"""Serve: run an attempt for somebody who waits to hear how its container ended."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from fanfold.errors import AttemptOver, CloudUnavailable, LeaseHeld
from fanfold.run.attempt import Exit
from fanfold.steps.invoke import invoke

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from fanfold.ports import Callback
    from fanfold.run.events import AttemptFinished
    from fanfold.steps.journal import Journal
    from fanfold.steps.wiring import Wiring

INTERRUPTED, LATE = "Worker.SpotInterrupted", "Worker.TimedOut"
SILENCE_S = 300.0
"""How long somebody waits without a sign of life: `HeartbeatSeconds` of the state machine."""

LOOK_S = 5.0


class Pulse:
    """Whether to stop: because it was told to, or since nobody waits for this container any more.

    While `beating`, a thread lets whoever waits hear every `every_s` seconds that it lives.
    """

    def __init__(self, callback: Callback, every_s: float) -> None:
        self._callback, self._every_s = callback, every_s
        self._stop, self._over = threading.Event(), threading.Event()
        self.error, self.forgotten = "", False

    def stop(self, error: str) -> None:
        """What has been done is to be saved now; `error` is what will be told then."""
        self.error = self.error or error
        self._stop.set()

    def stopping(self) -> bool:
        return self._stop.is_set()

    def wait(self, seconds: float) -> bool:
        """Until then, or until it is time to stop; gives whether it is."""
        return self._stop.wait(seconds)

    @contextmanager
    def beating(self) -> Generator[None]:
        """The first beat comes before the block: nothing is begun that nobody waits for."""
        self._beat(0.0)
        thread = threading.Thread(target=self._keep_beating, daemon=True, name="heartbeat")
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _keep_beating(self) -> None:
        silent = 0.0
        while not self._over.wait(self._every_s) and not self.forgotten:
            silent = self._beat(silent + self._every_s)

    def _beat(self, silent_s: float) -> float:
        """How long it has not been heard after this try."""
        try:
            self.forgotten = not self._callback.beat()
        except CloudUnavailable:
            self.forgotten = silent_s >= SILENCE_S
            silent = silent_s
        else:
            silent = 0.0
        if self.forgotten:
            self._stop.set()
        return silent


class Entered(NamedTuple):
    """The run's log and the ports, with the rights of the attempt."""

    journal: Journal
    wiring: Wiring


def serve(
    attempt: str,
    enter: Callable[[], Entered],
    holder: str,
    pulse: Pulse,
    callback: Callback,
) -> AttemptFinished | None:
    """Run the attempt to its end, and say so; gives how it ended, None when it did not here.

    What another container is at (`enter` or the attempt's own lease says `LeaseHeld`) is waited
    for, and never begun twice. A stop leaves the patch so far. What this raises is for the caller
    to tell.
    """
    with pulse.beating():
        ended = None if pulse.stopping() else _until_over(attempt, enter, holder, pulse)
    if pulse.error and (ended is None or ended.outcome is Exit.INTERRUPTED):
        callback.fail(pulse.error, f"attempt {attempt} left what it had")
    elif not pulse.forgotten:
        callback.succeed()
    return ended


def _until_over(
    attempt: str, enter: Callable[[], Entered], holder: str, pulse: Pulse
) -> AttemptFinished | None:
    while True:
        try:
            journal, wiring = enter()
            return invoke(journal, attempt, wiring, holder, pulse.stopping)
        except AttemptOver:
            return None
        except LeaseHeld:
            if pulse.wait(LOOK_S):
                return None
