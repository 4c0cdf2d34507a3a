"""Pre-warming: of attempts that share a long beginning, one writes it to the prompt cache first.

Without this a fan-out writes the same tokens once an attempt, at more than the price of input; the
others only have to wait for one reply, and then read them at a twentieth. It costs no call.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

WORTH_WAITING = 8_000
LIVES_S, LIVES_LONG_S = 270.0, 3_500.0
LONGEST_WAIT_S = 90.0
ASK_S = 0.5


class Warmth:
    """What the prompt cache holds, as far as the calls of this process tell; threads share it."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._warm_until: dict[bytes, float] = {}
        self._leading: set[bytes] = set()
        self._changed = threading.Condition()

    @contextmanager
    def turn(
        self, beginning: bytes, guard: Callable[[], None], *, lasting: bool = False
    ) -> Generator[Callable[[], None]]:
        """A call that starts with `beginning`: at once where that is cached, or nobody writes it.

        Else it waits for the one who does, for a minute and a half at most, asking `guard`, which
        may raise. Call what is given when the reply is there.
        """
        leads = len(beginning) >= WORTH_WAITING and self._leads(beginning, guard)
        try:
            yield lambda: self._warmed(beginning, lasting=lasting)
        finally:
            if leads:
                self._left(beginning)

    def _leads(self, beginning: bytes, guard: Callable[[], None]) -> bool:
        """Whether this call is the one that writes."""
        until = self._now() + LONGEST_WAIT_S
        while True:
            with self._changed:
                if self._is_warm(beginning) or self._now() > until:
                    return False
                if beginning not in self._leading:
                    self._leading.add(beginning)
                    return True
                self._changed.wait(ASK_S)
            guard()

    def _is_warm(self, beginning: bytes) -> bool:
        return self._warm_until.get(beginning, 0.0) > self._now()

    def _warmed(self, beginning: bytes, *, lasting: bool) -> None:
        with self._changed:
            self._warm_until[beginning] = self._now() + (LIVES_LONG_S if lasting else LIVES_S)

    def _left(self, beginning: bytes) -> None:
        """Whoever led has a reply, or has failed."""
        with self._changed:
            self._leading.discard(beginning)
            self._changed.notify_all()
