"""Estimates: rules of thumb first, then what finished runs have shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.run.attempt import Exit, Usage
from fanfold.run.estimate import CALLS, Estimate, calls_of, estimate
from fanfold.run.events import AttemptClaimed, AttemptEnded, ModelCalled, Recorded
from fanfold.run.experience import Experience, Seen, seen

START = datetime(2026, 1, 1, tzinfo=UTC)
STEP = 100_000
WAVES = (("1", "2", "3"), ("4",))
WORK = ("1", "2", "3", "4")


def price(usage: Usage) -> int:
    """A model that is five times as dear above a step, as some are."""
    return usage.output * (5 if usage.context > STEP else 1)


def told(*attempts: Seen, units: int = 0, tries: int = 0) -> Estimate:
    known = Experience(attempts, 1, units or len(attempts), tries or len(attempts))
    return estimate(WAVES, WORK, concurrency=2, cost=price, experience=known)


def took(calls: int, output: int = 100, minutes: float = 1.0) -> Seen:
    return Seen((Usage(input=1000, output=output),) * calls, minutes)


def test_without_a_run_the_rules_of_thumb_hold() -> None:
    expected = estimate(WAVES, WORK, concurrency=2, cost=lambda _: 1)
    assert expected.attempts == 4
    assert (expected.dollars.low, expected.dollars.likely, expected.dollars.high) == tuple(
        4 * calls for calls in CALLS
    )
    assert (expected.sure, expected.seen) == ("low", 0)
    assert "no run" in expected.basis


def test_each_call_is_priced_by_its_own_size() -> None:
    """The sum of an attempt's contexts passes the price step long before one of its calls does."""
    calls = calls_of(40)
    assert max(c.context for c in calls) < STEP < sum(c.context for c in calls)
    expected = estimate((("1",),), ("1",), concurrency=1, cost=price)
    assert expected.dollars.likely == sum(c.output for c in calls)


def test_alike_runs_make_it_narrow_and_sure() -> None:
    few, many = told(*[took(10)] * 2), told(*[took(10)] * 80)
    assert abs(many.dollars.likely - 4 * 1000) < abs(few.dollars.likely - 4 * 1000)
    assert many.dollars.high - many.dollars.low < few.dollars.high - few.dollars.low
    assert (few.sure, many.sure) != ("high", "low")
    assert many.basis.startswith("80 attempts in the last run")


def test_unlike_runs_leave_it_unsure() -> None:
    assert told(took(1), took(400)).sure == "low"


def test_tries_that_units_needed_count() -> None:
    assert told(*[took(10)] * 97, units=97, tries=197).attempts == 8


def test_minutes_follow_the_waves_and_what_was_seen() -> None:
    slow, quick = (told(*[took(10, minutes=m)] * 50).minutes.likely for m in (30.0, 2.0))
    assert slow > 5 * quick


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(0, 5000), st.floats(0, 600)), max_size=8),
    st.integers(0, 9),
    st.integers(1, 9),
)
def test_low_likely_high_in_this_order(
    known: list[tuple[int, int, float]], units: int, concurrency: int
) -> None:
    names = tuple(map(str, range(units)))
    experience = Experience(tuple(took(*each) for each in known), 1, len(known), len(known))
    found = estimate(
        (names,) if names else (), names, concurrency=concurrency, cost=price, experience=experience
    )
    for each in (found.minutes, found.tokens, found.dollars):
        assert 0 <= each.low <= each.likely <= each.high
    assert found.sure in {"low", "fair", "high"}


def events(*data: object) -> list[Recorded]:
    return [
        Recorded(version, START + timedelta(minutes=version), each)  # pyright: ignore[reportArgumentType]
        for version, each in enumerate(data, 1)
    ]


CLAIMED = AttemptClaimed(1, 1, "me")
CALLED = ModelCalled(1, "a", Usage(input=1, output=2), 3, 4)


def test_what_an_attempt_took() -> None:
    failed = ModelCalled(2, "", Usage(), 9, 4, error="dropped")
    again = ModelCalled(3, "a", Usage(input=1, output=2), 0, 4)
    ended = AttemptEnded(Exit.SUBMITTED, 3)
    assert seen(events(CLAIMED, CALLED, failed, again, ended)) == Seen((CALLED.usage,), 4.0)


@pytest.mark.parametrize(
    "data",
    [(), (CLAIMED, CALLED), (CLAIMED, AttemptEnded(Exit.CRASHED, 0))],
    ids=["nothing", "not ended", "no reply"],
)
def test_what_tells_nothing(data: tuple[object, ...]) -> None:
    assert seen(events(*data)) is None
