"""What a graph would take: attempts, minutes, tokens and money, as low, likely and high.

The likely number of calls is that of public runs of mini-swe-agent on SWE-bench Verified (38 to
51); low,
high and the tokens a call adds are rules of thumb. Money comes from the price list, with the prefix
of
every call read from the cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.run.attempt import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

CALLS = (12, 40, 80)
START_TOKENS = 8_000
TOKENS_IN = 900
TOKENS_OUT = 350
SECONDS_A_CALL = 9.0


class Range(msgspec.Struct, frozen=True):
    """A quantity as low, likely and high."""

    low: float
    likely: float
    high: float

    def times(self, factor: int) -> Range:
        return Range(self.low * factor, self.likely * factor, self.high * factor)


class Estimate(msgspec.Struct, frozen=True):
    """`dollars` in micro-dollars; `minutes` with `concurrency` attempts at once."""

    attempts: int
    minutes: Range
    tokens: Range
    dollars: Range

    def times(self, candidates: int) -> Estimate:
        """The same with several candidates a unit, side by side, and an arbiter that picks one."""
        factor = candidates + 1
        return Estimate(
            self.attempts * factor,
            self.minutes.times(2),
            self.tokens.times(factor),
            self.dollars.times(factor),
        )


def estimate(
    waves: Sequence[Sequence[str]],
    work: Iterable[str],
    *,
    concurrency: int,
    cost: Callable[[Usage], int],
) -> Estimate:
    """The estimate for the units in `work`, run in `waves` of unit ids.

    `cost` prices a usage in micro-dollars.
    """
    units = set(work)
    rounds = sum(-(-len(units & set(wave)) // concurrency) for wave in waves)
    usages = [attempt_usage(calls) for calls in CALLS]
    return Estimate(
        attempts=len(units),
        minutes=Range(*(round(rounds * c * SECONDS_A_CALL / 60, 1) for c in CALLS)),
        tokens=Range(*(len(units) * (u.context + u.output) for u in usages)),
        dollars=Range(*(len(units) * cost(u) for u in usages)),
    )


def attempt_usage(calls: int) -> Usage:
    """The tokens of an attempt of `calls` calls whose history is append-only and cached."""
    step = TOKENS_IN + TOKENS_OUT
    read = sum(START_TOKENS + step * i for i in range(calls - 1))
    return Usage(
        output=TOKENS_OUT * calls,
        cache_write_1h=START_TOKENS,
        cache_write_5m=step * (calls - 1),
        cache_read=read,
    )
