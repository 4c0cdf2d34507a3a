"""Pre-warming: the first of a fan-out writes what all share, the others read it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.prompt_cache import Block, PromptCache, blocks_of
from fanfold.adapters.local.scripted_model import ScriptedPrices
from fanfold.agent.warmth import LIVES_LONG_S, LIVES_S, LONGEST_WAIT_S, WORTH_WAITING, Warmth
from fanfold.errors import ModelUnavailable
from fanfold.ports import ModelReply, ModelRequest
from fanfold.run.attempt import Report, TaskText, Usage
from tests.fakes.memory import ManualClock
from tests.unit.agent.conftest import DONE, Attempt, Replies, a_context

LONG = b"x" * WORTH_WAITING
ATTEMPTS = 6
GUIDE = ("AGENTS.md", "Keep lines short.\n" * 800)


class Cached(Replies):
    """Submits at once, and counts its usage by a cache that other attempts share."""

    def __init__(
        self, cache: PromptCache, failing: set[int], together: threading.Barrier | None
    ) -> None:
        super().__init__([DONE])
        self.cache, self.failing, self.together = cache, failing, together
        self.usage = Usage()

    def send(self, request: ModelRequest, *, timeout_s: float) -> ModelReply:
        begin = self.cache.count(blocks_of(request), output=50)
        if self.together is not None:
            self.together.wait(20)
        if self.failing:
            self.failing.pop()
            raise ModelUnavailable("overloaded", retry_after=0.0)
        self.usage += begin()
        return ModelReply(f"m{id(self)}", DONE.content, "tool_use", self.usage, "m")


def wave(warmth: Warmth | None, failing: set[int] | None = None) -> list[Report]:
    """Six attempts of one role at once, each on a task of its own."""
    cache = PromptCache()
    failing = failing or set()
    together = None if warmth else threading.Barrier(ATTEMPTS)

    def one(number: int) -> Report:
        attempt = Attempt(warmth=warmth or Warmth())
        attempt.context = a_context(
            tasks=(TaskText("t1", f"Do {number}", f"- [ ] Do {number}"),), instructions=(GUIDE,)
        )
        return attempt.run(model=Cached(cache, failing, together))

    with ThreadPoolExecutor(ATTEMPTS) as pool:
        return list(pool.map(one, range(ATTEMPTS)))


def test_a_fan_out_writes_what_it_shares_once() -> None:
    warm, cold = wave(Warmth()), wave(None)
    shared = max(report.usage.cache_read for report in warm)
    assert shared > 2_500
    assert sorted(report.usage.cache_read for report in warm) == [0, *[shared] * (ATTEMPTS - 1)]
    assert [report.usage.cache_read for report in cold] == [0] * ATTEMPTS
    saved = sum(r.cost for r in cold) - sum(r.cost for r in warm)
    each = ScriptedPrices().cost("m", Usage(cache_write_5m=shared)) - ScriptedPrices().cost(
        "m", Usage(cache_read=shared)
    )
    assert saved == pytest.approx((ATTEMPTS - 1) * each, rel=0.01)


def test_when_the_first_fails_the_next_one_leads() -> None:
    reports = wave(Warmth(), failing={1, 2})
    assert sorted(report.usage.cache_read > 0 for report in reports) == [False, *[True] * 5]


def test_what_is_short_is_not_waited_for() -> None:
    warmth = Warmth()
    with warmth.turn(b"short", _never), warmth.turn(b"short", _never):
        pass


def test_what_is_warm_is_not_waited_for_until_it_cools() -> None:
    clock = ManualClock()
    warmth = Warmth(clock.monotonic)
    with warmth.turn(LONG, _never) as warmed:
        warmed()
    with warmth.turn(LONG, _never), warmth.turn(LONG, _never):
        pass
    clock.advance(LIVES_S + 1)
    with warmth.turn(LONG, _never), pytest.raises(Told), warmth.turn(LONG, _tell):
        pass


def test_an_hour_lasts_longer() -> None:
    clock = ManualClock()
    warmth = Warmth(clock.monotonic)
    with warmth.turn(LONG, _never, lasting=True) as warmed:
        warmed()
    clock.advance(LIVES_LONG_S - 1)
    with warmth.turn(LONG, _never), warmth.turn(LONG, _never):
        pass


def test_nobody_waits_for_ever() -> None:
    clock = ManualClock()
    warmth = Warmth(clock.monotonic)
    leader, others = threading.Event(), threading.Event()

    def lead() -> None:
        with warmth.turn(LONG, _never):
            leader.set()
            others.wait(10)

    thread = threading.Thread(target=lead)
    thread.start()
    leader.wait(10)
    with warmth.turn(LONG, lambda: clock.advance(LONGEST_WAIT_S + 1)):
        others.set()
    thread.join(10)


def test_the_cache_of_the_tests_keeps_the_rules() -> None:
    clock = ManualClock()
    cache = PromptCache(clock.monotonic)
    long = Block("a" * 8_000, "5m")
    assert cache.count([long, Block("b")])() == Usage(input=1, cache_write_5m=2_001)
    assert cache.count([long, Block("c")])() == Usage(input=1, cache_read=2_001)
    clock.advance(299)
    assert cache.count([long])() == Usage(cache_read=2_001)
    clock.advance(299)
    assert cache.count([long])() == Usage(cache_read=2_001)
    clock.advance(301)
    assert cache.count([long])() == Usage(cache_write_5m=2_001)
    assert cache.count([Block("a" * 400, "5m")])() == Usage(input=101)
    far = [Block("a" * 8_000), *[Block("d")] * 20, Block("e", "5m")]
    assert cache.count(far)().cache_read == 0


class Told(Exception):
    """Whoever waits was asked."""


def _never() -> None:
    raise AssertionError("it waited")


def _tell() -> None:
    raise Told
