"""What a graph would take: attempts, minutes, tokens and money, as low, likely and high.

Without a finished run the likely number of calls is that of public runs of mini-swe-agent on
SWE-bench Verified (38 to 51); low, high and the tokens a call adds are rules of thumb. With
finished runs these three count as three more attempts that were seen, and low and high bound four
in five outcomes: the spread of a sum of attempts about a mean that is itself known from a sample.
"""

from __future__ import annotations

from math import sqrt
from statistics import fmean, stdev
from typing import TYPE_CHECKING

import msgspec

from fanfold.run.attempt import Usage
from fanfold.run.experience import Experience, Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

CALLS = (12, 40, 80)
START_TOKENS = 8_000
TOKENS_IN = 900
TOKENS_OUT = 350
SECONDS_A_CALL = 9.0
FOUR_IN_FIVE = 1.28
SURE, FAIR = 0.25, 0.6
NOTHING = Experience()


class Range(msgspec.Struct, frozen=True):
    """A quantity as low, likely and high."""

    low: float
    likely: float
    high: float

    def times(self, factor: float) -> Range:
        return Range(self.low * factor, self.likely * factor, self.high * factor)

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.likely + other.likely, self.high + other.high)


class Estimate(msgspec.Struct, frozen=True):
    """`dollars` in micro-dollars; `minutes` with `concurrency` attempts at once.

    `runs` and `seen` count the finished runs and their attempts that it was learned from.
    """

    attempts: int
    minutes: Range
    tokens: Range
    dollars: Range
    runs: int = 0
    seen: int = 0

    def times(self, candidates: int) -> Estimate:
        """The same with several candidates a unit, side by side, and an arbiter that picks one."""
        factor = candidates + 1
        return msgspec.structs.replace(
            self,
            attempts=self.attempts * factor,
            minutes=self.minutes.times(2),
            tokens=self.tokens.times(factor),
            dollars=self.dollars.times(factor),
        )

    def reviewed(self) -> Estimate:
        """The same with a look at each patch: a short attempt more, or two where it is sent back.

        By rule of thumb a look takes a fifth to a half of what it looks at.
        """

        def more(range_: Range) -> Range:
            return Range(range_.low * 1.2, range_.likely * 1.4, range_.high * 2.5)

        return msgspec.structs.replace(
            self,
            attempts=self.attempts * 2,
            minutes=more(self.minutes),
            tokens=more(self.tokens),
            dollars=more(self.dollars),
        )

    @property
    def basis(self) -> str:
        """What it rests on, in words."""
        if not self.seen:
            return "rules of thumb: no run of this repository has finished yet"
        attempts = "attempt" if self.seen == 1 else "attempts"
        runs = "the last run" if self.runs == 1 else f"the last {self.runs} runs"
        return f"{self.seen} {attempts} in {runs} of this repository, and rules of thumb"

    @property
    def sure(self) -> str:
        """`high`, `fair` or `low`: how far the dollars may be off; low without a finished run."""
        if not self.seen or not self.dollars.likely:
            return "low"
        spread = (self.dollars.high - self.dollars.low) / 2 / self.dollars.likely
        return "high" if spread <= SURE else "fair" if spread <= FAIR else "low"


def estimate(
    waves: Sequence[Sequence[str]],
    work: Iterable[str],
    *,
    concurrency: int,
    cost: Callable[[Usage], int],
    experience: Experience = NOTHING,
) -> Estimate:
    """The estimate for the units in `work`, run in `waves` of unit ids.

    `cost` prices one call in micro-dollars.
    """
    units = set(work)
    rounds = sum(-(-len(units & set(wave)) // concurrency) for wave in waves)
    known = (*experience.attempts, *RULES)
    attempts = round(len(units) * tries_a_unit(experience))
    total = _expected if experience.attempts else _of_thumb

    def tokens(attempt: Seen) -> int:
        return sum(usage.context + usage.output for usage in attempt.calls)

    def dollars(attempt: Seen) -> int:
        return sum(map(cost, attempt.calls))

    minutes = total([attempt.minutes for attempt in known], rounds)
    return Estimate(
        attempts=attempts,
        minutes=Range(round(minutes.low, 1), round(minutes.likely, 1), round(minutes.high, 1)),
        tokens=_whole(total([tokens(attempt) for attempt in known], attempts)),
        dollars=_whole(total([dollars(attempt) for attempt in known], attempts)),
        runs=experience.runs,
        seen=len(experience.attempts),
    )


def tries_a_unit(experience: Experience) -> float:
    """How many attempts a unit takes; the rule of thumb, one, counts as three units seen."""
    return (experience.tries + len(CALLS)) / (experience.units + len(CALLS))


def calls_of(calls: int) -> tuple[Usage, ...]:
    """The usage of each call of an attempt whose history is append-only and cached."""
    step = TOKENS_IN + TOKENS_OUT
    first = Usage(output=TOKENS_OUT, cache_write_1h=START_TOKENS)
    later = (
        Usage(output=TOKENS_OUT, cache_write_5m=step, cache_read=START_TOKENS + step * i)
        for i in range(calls - 1)
    )
    return (first, *later)


RULES = tuple(Seen(calls_of(calls), calls * SECONDS_A_CALL / 60) for calls in CALLS)


def _of_thumb(each: Sequence[float], count: int) -> Range:
    low, likely, high = each
    return Range(low, likely, high).times(count)


def _expected(each: Sequence[float], count: int) -> Range:
    """The sum of `count` more such as `each`, four times in five."""
    if not count:
        return Range(0, 0, 0)
    likely = fmean(each)
    off = FOUR_IN_FIVE * stdev(each) * sqrt(1 / count + 1 / len(each))
    return Range(max(likely - off, min(each)), likely, likely + off).times(count)


def _whole(values: Range) -> Range:
    return Range(round(values.low), round(values.likely), round(values.high))
