"""Pre-warming where each attempt of a fan-out has a process of its own: by marks among artifacts.

Who is about to write a beginning says so, and again when the reply is there. Whoever comes then
waits for the first of them. Marks are hints: where none can be read or written, nobody waits.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import TYPE_CHECKING

import msgspec

from fanfold.agent.warmth import LIVES_LONG_S, LIVES_S, Warmth
from fanfold.errors import CloudError
from fanfold.run.artifacts import run_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fanfold.ports import ArtifactStore, Clock

PATIENCE_S = 45.0
LOOK_S = 2.0
BEGUN, LEFT, DONE, LASTS = "begun", "left", "done", "lasts"
LIVES = {BEGUN: PATIENCE_S, LEFT: PATIENCE_S, DONE: LIVES_S, LASTS: LIVES_LONG_S}
_KEY = re.compile(rf"(\d+)-([0-9a-f]+)-({'|'.join(LIVES)})")


class _Mark(msgspec.Struct, frozen=True, order=True):
    """The moment in milliseconds, whose it is, and what it says."""

    at: int
    whose: str
    says: str

    def __str__(self) -> str:
        return f"{self.at}-{self.whose}-{self.says}"

    def lives(self, now: int) -> bool:
        return now - self.at < LIVES[self.says] * 1000


def _marks(keys: Iterable[str]) -> list[_Mark]:
    found = (_KEY.fullmatch(key.rpartition("/")[2]) for key in keys)
    return sorted(_Mark(int(mark[1]), mark[2], mark[3]) for mark in found if mark)


class RunWarmth(Warmth):
    """What the attempts of `run_id` know of the prompt cache, each in its own process."""

    def __init__(self, artifacts: ArtifactStore, run_id: str, clock: Clock) -> None:
        super().__init__(clock.monotonic)
        self._artifacts, self._run_id, self._clock = artifacts, run_id, clock
        self._me = secrets.token_hex(8)
        self._led: set[bytes] = set()

    def _leads(self, beginning: bytes, guard: Callable[[], None]) -> bool:
        """Whether this process is the first that writes; the first is waited for 45 s."""
        if self._is_warm(beginning):
            return False
        try:
            return self._is_first(beginning, guard)
        except CloudError:
            return False

    def _is_first(self, beginning: bytes, guard: Callable[[], None]) -> bool:
        """Who says that it begins looks again: another may have said so at the same moment."""
        until = self._now() + PATIENCE_S
        while self._now() < until:
            at_work = self._at_work(beginning)
            if at_work is None:
                self._led.discard(beginning)
                return False
            if at_work == self._me:
                return True
            if not at_work:
                self._put(beginning, BEGUN)
                self._led.add(beginning)
                continue
            guard()
            self._clock.sleep(LOOK_S)
        return False

    def _at_work(self, beginning: bytes) -> str | None:
        """Who writes it, if anybody does; None where it is cached already."""
        now = self._milliseconds()
        found = _marks(self._artifacts.list(self._folder(beginning)))
        marks = [mark for mark in found if mark.lives(now)]
        if any(mark.says in {DONE, LASTS} for mark in marks):
            return None
        left = {mark.whose for mark in marks if mark.says == LEFT}
        begun = (mark.whose for mark in marks if mark.says == BEGUN)
        return next((whose for whose in begun if whose not in left), "")

    def _warmed(self, beginning: bytes, *, lasting: bool) -> None:
        super()._warmed(beginning, lasting=lasting)
        if beginning in self._led:
            self._led.discard(beginning)
            self._say(beginning, LASTS if lasting else DONE)

    def _left(self, beginning: bytes) -> None:
        """A call that failed is told too; the next try is another process's, as it were."""
        if beginning in self._led:
            self._led.discard(beginning)
            self._say(beginning, LEFT)
            self._me = secrets.token_hex(8)

    def _say(self, beginning: bytes, what: str) -> None:
        try:
            self._put(beginning, what)
        except CloudError:
            return

    def _put(self, beginning: bytes, what: str) -> None:
        mark = _Mark(self._milliseconds(), self._me, what)
        self._artifacts.put(f"{self._folder(beginning)}/{mark}", b"")

    def _folder(self, beginning: bytes) -> str:
        return run_file(self._run_id, f"warm/{hashlib.sha256(beginning).hexdigest()[:16]}")

    def _milliseconds(self) -> int:
        return int(self._clock.now().timestamp() * 1000)
