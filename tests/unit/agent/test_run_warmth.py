"""Pre-warming by marks: attempts in processes of their own, which share a store and no memory."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.prompt_cache import PromptCache
from fanfold.agent.run_warmth import PATIENCE_S, RunWarmth
from fanfold.agent.warmth import LIVES_LONG_S, LIVES_S, WORTH_WAITING
from fanfold.errors import CloudUnavailable
from fanfold.run.attempt import Report, TaskText
from tests.fakes.memory import ManualClock, MemoryArtifactStore
from tests.unit.agent.conftest import Attempt, a_context
from tests.unit.agent.test_warmth import ATTEMPTS, GUIDE, Cached

LONG = b"x" * WORTH_WAITING
RUN = "5ce7a10000"


class Hurried:
    """A clock that goes two hundred times as fast."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return (time.monotonic() - self._began) * 200

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / 200)


class Refusing(MemoryArtifactStore):
    """A store that cannot be reached."""

    def list(self, prefix: str) -> list[str]:
        raise CloudUnavailable(f"no answer for {prefix!r}")


def wave(failing: set[int] | None = None) -> list[Report]:
    """Six attempts of one role at once, each in what would be a process."""
    cache, store, clock = PromptCache(), MemoryArtifactStore(), Hurried()

    def one(number: int) -> Report:
        attempt = Attempt(warmth=RunWarmth(store, RUN, clock))
        attempt.context = a_context(
            tasks=(TaskText("t1", f"Do {number}", f"- [ ] Do {number}"),), instructions=(GUIDE,)
        )
        return attempt.run(model=Cached(cache, failing if failing is not None else set(), None))

    with ThreadPoolExecutor(ATTEMPTS) as pool:
        return list(pool.map(one, range(ATTEMPTS)))


@pytest.mark.parametrize("failing", [set[int](), {1, 2}], ids=["none fails", "the first fail"])
def test_a_fan_out_writes_what_it_shares_once(failing: set[int]) -> None:
    reports = wave(failing)
    assert sorted(report.usage.cache_read > 0 for report in reports) == [False, *[True] * 5]


def a_process(store: MemoryArtifactStore, clock: ManualClock) -> RunWarmth:
    return RunWarmth(store, RUN, clock)


@pytest.mark.parametrize(("lasting", "lives_s"), [(False, LIVES_S), (True, LIVES_LONG_S)])
def test_what_is_warm_is_not_waited_for_until_it_cools(*, lasting: bool, lives_s: float) -> None:
    store, clock = MemoryArtifactStore(), ManualClock()
    with a_process(store, clock).turn(LONG, _never, lasting=lasting) as warmed:
        warmed()
    clock.advance(lives_s - 1)
    with a_process(store, clock).turn(LONG, _never):
        pass
    clock.advance(2)
    leader, other = a_process(store, clock), a_process(store, clock)
    with leader.turn(LONG, _never), pytest.raises(Told), other.turn(LONG, _tell):
        pass


def test_nobody_waits_long_for_a_process_that_died() -> None:
    store, clock = MemoryArtifactStore(), ManualClock()
    dead = a_process(store, clock).turn(LONG, _never)
    dead.__enter__()
    began = clock.monotonic()
    with a_process(store, clock).turn(LONG, lambda: None):
        assert clock.monotonic() - began <= PATIENCE_S + 2


def test_who_waits_takes_the_place_of_one_that_failed() -> None:
    store, clock = MemoryArtifactStore(), ManualClock()
    failing = ExitStack()
    failing.enter_context(a_process(store, clock).turn(LONG, _never))
    with a_process(store, clock).turn(LONG, failing.close):
        assert clock.monotonic() < PATIENCE_S / 2
        with pytest.raises(Told), a_process(store, clock).turn(LONG, _tell):
            pass


def test_each_run_has_its_own_marks() -> None:
    store, clock = MemoryArtifactStore(), ManualClock()
    with (
        RunWarmth(store, RUN, clock).turn(LONG, _never),
        RunWarmth(store, "5ce7a10001", clock).turn(LONG, _never),
    ):
        assert {key.split("/")[1] for key in store.list("runs")} == {RUN, "5ce7a10001"}


def test_what_is_short_leaves_no_mark() -> None:
    store = MemoryArtifactStore()
    with a_process(store, ManualClock()).turn(b"short", _never) as warmed:
        warmed()
    assert store.list("runs") == []


def test_a_store_out_of_reach_keeps_nobody_waiting() -> None:
    warmth = a_process(Refusing(), ManualClock())
    with warmth.turn(LONG, _never) as warmed:
        warmed()


def test_what_is_no_mark_is_passed_over() -> None:
    store, clock = MemoryArtifactStore(), ManualClock()
    with a_process(store, clock).turn(LONG, _never):
        (mark,) = store.list("runs")
    folder = mark.rpartition("/")[0]
    for name in ("x", "1-2-3-4", "9-zz-begun", f"{10**20}-ab-what"):
        store.put(f"{folder}/{name}", b"")
    with a_process(store, clock).turn(LONG, _never):
        pass


class Told(Exception):
    """Whoever waits was asked."""


def _never() -> None:
    raise AssertionError("it waited")


def _tell() -> None:
    raise Told
