"""The settings of a deployment, as they come from the CDK context."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec
import pytest

from infra.settings import CloudSettings, Profile, from_context

if TYPE_CHECKING:
    from constructs import Node


class Context:
    """A construct's node, as far as the settings look at it."""

    def __init__(self, **values: str) -> None:
        self.values = values

    def try_get_context(self, key: str) -> str | None:
        return self.values.get(key)


def settings(**values: str) -> CloudSettings:
    return from_context(cast("Node", Context(**values)))


def test_an_empty_context_gives_the_defaults() -> None:
    assert settings() == CloudSettings()


def test_the_context_names_the_deployment() -> None:
    given = settings(project="acme", stage="prod", profile="full")
    assert given.profile is Profile.FULL
    assert given.name("events") == "acme-prod-events"
    assert given.tags() == {"project": "acme", "stage": "prod", "profile": "full"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("stage", "Prod"),
        ("stage", "s" * 9),
        ("project", ""),
        ("project", "p" * 13),
        ("profile", "huge"),
        ("run_slots", "0"),
        ("concurrency", "x"),
        ("alert_email", "nobody"),
        ("log_days", "8"),
        ("models", '["claude"]'),
        ("routing", "mars"),
        ("egress", '["*"]'),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_place(key: str, value: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=rf"at `\$\.{key}(\[0\])?`"):
        settings(**{key: value})


def test_numbers_and_lists_come_as_text_too() -> None:
    given = settings(run_slots="2", reserved_concurrency="40", model_regions='["eu-west-1"]')
    assert (given.run_slots, given.reserved_concurrency) == (2, 40)
    assert given.model_regions == ("eu-west-1",)


def test_running_runs_must_fit_into_reserved_concurrency() -> None:
    assert settings(run_slots="4", concurrency="8", reserved_concurrency="32")
    with pytest.raises(msgspec.ValidationError, match="below the 32 attempts"):
        settings(run_slots="4", concurrency="8", reserved_concurrency="31")
