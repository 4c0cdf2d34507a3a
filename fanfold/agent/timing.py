"""The attempt's clock: when it must end, and waits that can be cut short."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.agent.exits import DeadlineNear, OutOfTime

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.ports import Clock

NAP_S = 2.0


class Timing:
    """`minutes` are the attempt's own limit; `escalate_after_s` that of the place it runs in."""

    def __init__(self, clock: Clock, minutes: float, escalate_after_s: float | None) -> None:
        self._clock = clock
        self._start = clock.monotonic()
        self._limit_s = minutes * 60
        self._escalate_s = escalate_after_s

    @property
    def elapsed(self) -> float:
        return self._clock.monotonic() - self._start

    @property
    def left(self) -> float:
        """Seconds, 0.1 at least."""
        limits = (s for s in (self._limit_s, self._escalate_s) if s is not None)
        return max(min(limits) - self.elapsed, 0.1)

    def check(self) -> None:
        """Raises `OutOfTime` or `DeadlineNear`."""
        elapsed = self.elapsed
        if elapsed >= self._limit_s:
            raise OutOfTime(f"the {self._limit_s / 60:g} minutes of the attempt are over")
        if self._escalate_s is not None and elapsed >= self._escalate_s:
            raise DeadlineNear(f"{elapsed:.0f} s are over, and this place ends soon")

    def sleep(self, seconds: float, guard: Callable[[], None]) -> None:
        """In short naps, asking `guard` between them."""
        while seconds > 0:
            self._clock.sleep(min(seconds, NAP_S))
            seconds -= NAP_S
            if seconds > 0:
                guard()
