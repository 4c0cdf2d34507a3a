"""The slice holds to the micro-dollar, whatever the API says and however calls fail."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold.adapters.local.scripted_model import ScriptedPrices
from fanfold.agent.calls import MAX_OUTPUT
from fanfold.agent.exits import BudgetSpent
from fanfold.agent.purse import USEFUL_TOKENS, Purse, TokenEstimate, Tokens
from fanfold.errors import StreamDropped
from fanfold.ports import ModelReply, ModelRequest
from fanfold.run.attempt import AttemptLimits, Exit, Usage
from fanfold.run.events import ModelCalled, ModelCallStarted
from tests.unit.agent.conftest import DONE, Attempt, Replies, a_context, reply, use

LOOK = reply(use("read", file_path="a.py"))


class Glutton(Replies):
    """Uses every output token it is given, and counts its input as the wire has it."""

    def send(self, request: ModelRequest, *, timeout_s: float) -> ModelReply:
        self.requests.append(request)
        number = len(self.requests)
        size = len(str(request.system) + str(request.tools) + str(request.messages))
        return ModelReply(
            f"msg_{number}",
            [use("grep", f"t{number}", pattern=f"never {number}")],
            "tool_use",
            Usage(cache_write_5m=size // 4, output=request.max_tokens),
            "m",
        )


@pytest.mark.parametrize("slice_", [1, 50_000, 100_001, 777_777, 1_000_000])
def test_never_spends_more_than_its_slice(attempt: Attempt, slice_: int) -> None:
    attempt.context = a_context(limits=AttemptLimits(slice=slice_))
    report = attempt.run(model=Glutton([]))
    calls = [e for e in attempt.events() if isinstance(e, ModelCalled)]
    assert report.exit is Exit.BUDGET
    assert report.cost == attempt.fold().cost == sum(call.cost for call in calls) <= slice_
    assert "of the slice" in report.detail


def test_shrinks_the_output_to_what_is_left(attempt: Attempt) -> None:
    attempt.context = a_context(limits=AttemptLimits(slice=100_000))
    attempt.run(LOOK, DONE)
    asked = [request.max_tokens for request in attempt.model.requests]
    assert USEFUL_TOKENS <= asked[1] < asked[0] < MAX_OUTPUT
    started = [e for e in attempt.events() if isinstance(e, ModelCallStarted)]
    assert [e.max_tokens for e in started] == asked
    assert all(e.worst_case <= 100_000 for e in started)
    assert started[1].worst_case <= 100_000 - 3_000


def test_nothing_is_sent_that_the_slice_cannot_pay(attempt: Attempt) -> None:
    attempt.context = a_context(limits=AttemptLimits(slice=100))
    report = attempt.run()
    assert (report.exit, report.cost) == (Exit.BUDGET, 0)
    assert attempt.model.requests == []
    assert attempt.fold().cost == 0


def test_dropped_streams_are_paid_from_the_slice(attempt: Attempt) -> None:
    attempt.context = a_context(limits=AttemptLimits(slice=200_000))
    report = attempt.run(*[StreamDropped("cut")] * 5)
    assert report.exit is Exit.BUDGET
    assert report.cost == attempt.fold().cost <= 200_000


def test_a_message_is_paid_for_once(attempt: Attempt) -> None:
    again = ModelReply("msg_same", LOOK.content, "tool_use", Usage(input=1_000), "m")
    report = attempt.run(again, again, DONE)
    assert report.cost == attempt.fold().cost == 2_000 + 3_000
    assert report.usage == attempt.fold().usage == Usage(input=2_000, output=100)


def test_usage_that_explodes_is_charged_truly_and_ends_it(attempt: Attempt) -> None:
    huge = reply(use("read", file_path="a.py"), usage=Usage(input=700_000, output=9))
    report = attempt.run(huge)
    assert report.exit is Exit.BUDGET
    assert report.cost == attempt.fold().cost == 1_400_090


def test_estimates_from_the_last_usage_and_what_came_since() -> None:
    estimate = TokenEstimate()
    assert estimate.tokens(3_000).all == int(1_000 * 1.1) + 1
    estimate.observe(Usage(input=200, cache_read=500, output=100), 3_300)
    assert estimate.tokens(6_300).all == int((800 + 1_000) * 1.1) + 1


def test_learns_from_an_api_that_counts_more_than_expected() -> None:
    estimate = TokenEstimate()
    estimate.tokens(3_000)
    estimate.observe(Usage(input=3_000), 3_000)
    assert estimate.tokens(3_000).all == int(3_000 * 3.3) + 1


def test_usage_that_counts_nothing_does_not_make_calls_free() -> None:
    estimate = TokenEstimate()
    estimate.tokens(50_000)
    estimate.observe(Usage(), 50_000)
    assert estimate.tokens(50_000).all > 10_000


@settings(max_examples=50, deadline=None)
@given(
    st.integers(0, 3_000_000),
    st.lists(st.tuples(st.integers(0, 80_000), st.sampled_from(["settle", "forfeit", "release"]))),
)
def test_a_purse_never_promises_more_than_it_holds(
    slice_: int, calls: list[tuple[int, str]]
) -> None:
    purse = Purse(slice_, "m", ScriptedPrices())
    for number, (tokens, how) in enumerate(calls):
        try:
            reserved = purse.reserve(Tokens(tokens // 3, tokens - tokens // 3), MAX_OUTPUT)
        except BudgetSpent:
            continue
        assert purse.cost <= slice_
        if how == "settle":
            lasting = tokens // 3
            usage = Usage(
                cache_write_1h=lasting,
                cache_write_5m=tokens - lasting,
                output=reserved.max_tokens,
            )
            purse.settle(ModelReply(str(number), [], "end_turn", usage, "m"))
        elif how == "forfeit":
            purse.forfeit(reserved)
        else:
            purse.release()
        assert purse.cost == purse.spent <= slice_


def test_only_the_lasting_part_is_reserved_at_the_price_of_an_hour() -> None:
    estimate = TokenEstimate(lasting_characters=3_000)
    tokens = estimate.tokens(30_000)
    assert (tokens.lasting, tokens.all) == (1_101, 11_001)
    reserved = Purse(1_000_000, "m", ScriptedPrices()).reserve(tokens, 1_000)
    assert reserved.worst_case == 1_101 * 4 + 9_900 * 2.5 + 1_000 * 10


def test_says_once_that_the_end_is_near(attempt: Attempt) -> None:
    attempt.context = a_context(limits=AttemptLimits(slice=80_000))
    attempt.run(LOOK, LOOK, DONE)
    assert "steps, $0.08 and 3600 s are left" in attempt.told(1)
    assert "are left" not in attempt.told(2)
