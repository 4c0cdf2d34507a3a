"""What every price list promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold.adapters.claude.prices import ModelPrices
from fanfold.adapters.local.scripted_model import ScriptedPrices
from fanfold.run.attempt import Usage

if TYPE_CHECKING:
    from fanfold.ports import Prices

OVERRIDE = {"own-model": {"input": 0.000001, "output": "0.3333333", "cache_read": 0}}
KINDS: dict[str, tuple[Prices, str]] = {
    "scripted": (ScriptedPrices(), "anything"),
    "flat": (ModelPrices(), "claude-sonnet-5-5"),
    "stepped": (ModelPrices(), "claude-haiku-5-5"),
    "overridden": (ModelPrices(OVERRIDE), "own-model"),
}
tokens = st.integers(0, 300_000)
usages = st.builds(Usage, tokens, tokens, tokens, tokens, tokens)


@pytest.fixture(params=list(KINDS))
def priced(request: pytest.FixtureRequest) -> tuple[Prices, str]:
    return KINDS[request.param]


def test_nothing_costs_nothing(priced: tuple[Prices, str]) -> None:
    prices, model = priced
    assert prices.cost(model, Usage()) == 0
    assert prices.worst_case(model, 0, 0) == 0


def test_least_use_is_rounded_up(priced: tuple[Prices, str]) -> None:
    prices, model = priced
    assert prices.cost(model, Usage(output=1)) >= 1


@pytest.mark.parametrize("kind", list(KINDS))
@given(usage=usages, room=tokens, more=tokens)
@settings(max_examples=60, deadline=None)
def test_worst_case_is_never_exceeded(kind: str, usage: Usage, room: int, more: int) -> None:
    prices, model = KINDS[kind]
    worst = prices.worst_case(model, usage.context + room, usage.output + more)
    assert isinstance(worst, int)
    assert prices.cost(model, usage) <= worst


@pytest.mark.parametrize("kind", list(KINDS))
@given(context=tokens, budget=st.integers(-10, 20_000_000))
@settings(max_examples=60, deadline=None)
def test_affordable_tokens_are_the_most_that_fit(kind: str, context: int, budget: int) -> None:
    prices, model = KINDS[kind]
    most = prices.affordable_tokens(model, context, budget)
    assert most >= 0
    if most:
        assert prices.worst_case(model, context, most) <= budget
    assert prices.worst_case(model, context, most + 1) > budget


@pytest.mark.parametrize("kind", list(KINDS))
@given(first=usages, second=usages)
@settings(max_examples=60, deadline=None)
def test_more_use_never_costs_less(kind: str, first: Usage, second: Usage) -> None:
    prices, model = KINDS[kind]
    assert prices.cost(model, first + second) >= prices.cost(model, first)
