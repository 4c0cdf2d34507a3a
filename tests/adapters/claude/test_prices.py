"""Prices by name, step and override."""

from __future__ import annotations

from typing import Any

import pytest

from fanfold.adapters.claude.prices import ModelPrices
from fanfold.errors import InvalidSettings, UnpricedModel
from fanfold.run.attempt import Usage

MILLION = 1_000_000
EACH = Usage(MILLION, MILLION, MILLION, MILLION, MILLION)
ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-5-5"


@pytest.mark.parametrize(
    ("model", "input_dollars"),
    [
        ("claude-sonnet-5-5", 2.0),
        ("claude-sonnet-5-5-20261001", 2.0),
        ("claude-sonnet-5-5-latest", 2.0),
        ("claude-sonnet-5-5@20261001", 2.0),
        ("claude-opus-5-5@default", 4.0),
        ("anthropic/claude-sonnet-5-5", 2.0),
        ("claude-haiku-4-5-20251001", 1.0),
        ("global.anthropic.claude-sonnet-5-5", 2.0),
        ("us.anthropic.claude-sonnet-5-5", 2.2),
        ("anthropic.claude-sonnet-5-5", 2.2),
        ("us-gov.anthropic.claude-sonnet-5-5", 2.2),
        ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", 3.3),
        (ARN, 2.2),
    ],
)
def test_model_is_found_by_any_of_its_names(model: str, input_dollars: float) -> None:
    assert ModelPrices().cost(model, Usage(input=MILLION)) == round(input_dollars * MILLION)


def test_each_class_has_its_own_price() -> None:
    prices = ModelPrices()
    cost = {
        "input": 2_000_000,
        "output": 10_000_000,
        "cache_write_5m": 2_500_000,
        "cache_write_1h": 4_000_000,
        "cache_read": 100_000,
    }
    for name, expected in cost.items():
        assert prices.cost("claude-sonnet-5-5", Usage(**{name: MILLION})) == expected
    assert prices.cost("claude-sonnet-5-5", EACH) == sum(cost.values())


def test_long_request_pays_the_step_for_all_of_it() -> None:
    prices = ModelPrices()
    assert prices.cost("claude-haiku-5-5", Usage(cache_read=100_000, output=1000)) == 1_500
    assert prices.cost("claude-haiku-5-5", Usage(cache_read=100_001, output=1000)) == 7_501
    assert prices.worst_case("claude-haiku-5-5", 100_000, 1000) == 20_500
    assert prices.worst_case("claude-haiku-5-5", 100_001, 1000) == 102_501


@pytest.mark.parametrize("model", ["claude-nope-9", "gpt-5", "", "anthropic.claude-nope", "a/b"])
def test_unknown_model_is_not_priced_and_the_mend_is_said(model: str) -> None:
    with pytest.raises(UnpricedModel) as raised:
        ModelPrices().worst_case(model, 1, 1)
    assert f"[model.prices.{model!r}]" in str(raised.value)


def test_override_prices_a_model_and_fills_the_cache_classes() -> None:
    prices = ModelPrices({"mine": {"input": 1, "output": 4}})
    assert prices.cost("mine", EACH) == 1_000_000 + 4_000_000 + 1_250_000 + 2_000_000 + 1_000_000


def test_override_wins_over_the_data() -> None:
    table = {"input": 1, "output": 1, "cache_write_5m": 1, "cache_write_1h": 1, "cache_read": 0.5}
    assert ModelPrices({"claude-opus-5-5": table}).cost("claude-opus-5-5", EACH) == 4_500_000


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"input": 1}, "output is missing"),
        ({"input": 1, "output": -1}, "output: -1"),
        ({"input": "x", "output": 1}, "input: 'x'"),
        ({"input": float("nan"), "output": 1}, "input: nan"),
        ({"input": float("inf"), "output": 1}, "input: inf"),
        ({"input": True, "output": 1}, "input: True"),
        ({"input": 1, "output": 1, "cached": 1}, "unknown key 'cached'"),
        (3, "must be a table"),
    ],
)
def test_override_that_says_nothing_is_refused_with_its_place(table: Any, said: str) -> None:
    with pytest.raises(InvalidSettings) as raised:
        ModelPrices({"mine": table})
    assert str(raised.value).startswith("fanfold.toml: [model.prices.'mine']")
    assert said in str(raised.value)
