"""A secret is given by name to who may read it; what is noted never has its value."""

from __future__ import annotations

import msgspec
import pytest

from fanfold.errors import AccessDenied
from fanfold.run.access import HARNESS, Access, Operation, Refusal, for_commands
from fanfold.run.events import AccessDecided
from fanfold.steps.keyring import Keyring

VALUE = "value-" + "of-a-secret"


def test_who_may_read_a_secret_gets_it_and_that_is_noted_once() -> None:
    keyring = Keyring({"NPM_TOKEN": VALUE}.get)
    access = for_commands("[prepare]", ["NPM_TOKEN"])
    assert [keyring.read(access, "NPM_TOKEN") for _ in range(2)] == [VALUE, VALUE]
    assert keyring.decided == (
        AccessDecided(
            *(Operation.SECRET, "NPM_TOKEN", "[prepare]", True, "[prepare] may secret.read")
        ),
    )
    assert keyring.given == {"NPM_TOKEN": VALUE}
    assert VALUE.encode() not in msgspec.json.encode(keyring.decided)
    assert VALUE not in repr(keyring)


def test_who_may_not_is_refused_and_that_is_noted_too() -> None:
    keyring = Keyring({"NPM_TOKEN": VALUE}.get)
    with pytest.raises(AccessDenied, match="may not read the secret NPM_TOKEN; allowed: none"):
        keyring.read(Access("commands"), "NPM_TOKEN")
    (told,) = keyring.decided
    assert (told.allowed, told.refusal, keyring.given) == (False, Refusal.SECRET, {})


def test_a_secret_that_is_not_there_is_no_event() -> None:
    keyring = Keyring({"ANTHROPIC_API_KEY": ""}.get)
    assert keyring.read(HARNESS, "ANTHROPIC_API_KEY") is None
    assert keyring.decided == ()


@pytest.mark.parametrize(
    "name", ["ANTHROPIC_API_KEY", "anthropic_auth_token", "AWS_SECRET_ACCESS_KEY", "FANFOLD_X"]
)
def test_what_models_are_called_with_is_given_to_no_command(name: str) -> None:
    keyring = Keyring({name: VALUE}.get)
    with pytest.raises(AccessDenied):
        keyring.read(for_commands("[prepare]", [name, "NPM_TOKEN"]), name)
