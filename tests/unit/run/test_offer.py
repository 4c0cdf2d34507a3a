"""What a deployment offers, and what to change where a run asks for more."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fanfold.run.offer import Offered, model_problem, out_of_reach

SONNET, OPUS = "anthropic.claude-sonnet-5-5", "anthropic.claude-opus-5-5"
HERE = Offered(profile="full", provider="bedrock", models=(SONNET,), attempts=32, routing="us")


@pytest.mark.parametrize(
    ("routing", "name"),
    [
        ("us", "claude-sonnet-5-5"),
        ("us", f"us.{SONNET}"),
        ("global", f"global.{SONNET}"),
        ("none", "claude-sonnet-5-5"),
        ("none", SONNET),
        ("", SONNET),
        ("", f"eu.{SONNET}"),
    ],
)
def test_a_deployed_model_may_be_named_as_it_is_called(routing: str, name: str) -> None:
    assert model_problem(replace(HERE, routing=routing), [name]) is None


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("claude-opus-5-5", f'add "{OPUS}" to `models`'),
        (f"us.{OPUS}", f'add "{OPUS}" to `models`'),
        (f"eu.{SONNET}", "name it claude-sonnet-5-5"),
        (SONNET, "name it claude-sonnet-5-5"),
    ],
)
def test_a_model_that_is_not_deployed_comes_with_the_change(name: str, change: str) -> None:
    told = model_problem(HERE, ["claude-sonnet-5-5", name])
    assert told is not None
    assert repr(name) in told
    assert change in told


def test_the_model_api_needs_its_way_out_and_its_own_names() -> None:
    shut = replace(HERE, provider="anthropic")
    assert 'add "api.anthropic.com" to `egress`' in str(model_problem(shut, ["claude-opus-5-5"]))
    opened = replace(shut, egress=("api.anthropic.com",))
    assert model_problem(opened, ["claude-opus-5-5"]) is None
    assert "(claude-opus-5-5)" in str(model_problem(opened, [f"us.{OPUS}"]))


def test_hosts_that_no_worker_reaches() -> None:
    opened = replace(HERE, egress=("pypi.org", "*.example.com"))
    asked = ["pypi.org", "a.example.com", "example.com", "notexample.com"]
    assert out_of_reach(opened, asked) == ["example.com", "notexample.com"]
