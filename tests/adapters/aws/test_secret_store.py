"""Secrets: read once in a while, taken up after a rotation, never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fanfold.adapters.aws.secret_store import KEPT_S, SecretStore
from fanfold.errors import CloudError, MissingKey
from tests.fakes.memory import ManualClock
from tests.kit.faults import faults

if TYPE_CHECKING:
    from fanfold.adapters.aws.clients import Clients

OLD, NEW = ("-".join(("fake", "key", age)) for age in ("old", "new"))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(clients: Clients, clock: ManualClock) -> SecretStore:
    clients.secrets.create_secret(Name="model", SecretString=f"{OLD}\n")
    return SecretStore(clients.secrets, clock)


def rotate(clients: Clients) -> None:
    clients.secrets.put_secret_value(SecretId="model", SecretString=NEW)


def test_a_secret_is_read_once_in_a_while(store: SecretStore, clock: ManualClock) -> None:
    with faults() as injected:
        assert {store.get("model") for _ in range(5)} == {OLD}
        clock.advance(KEPT_S)
        store.get("model")
    assert injected.sent == ["GetSecretValue"] * 2


def test_a_rotated_secret_is_taken_up(
    store: SecretStore, clients: Clients, clock: ManualClock
) -> None:
    store.get("model")
    rotate(clients)
    assert store.get("model") == OLD
    assert store.get("model", fresh=True) == NEW
    assert store.get("model") == NEW


def test_a_missing_secret_is_named(store: SecretStore) -> None:
    with pytest.raises(CloudError, match=r"read secret 'other'.*is fanfold deployed"):
        store.get("other")


@pytest.mark.parametrize("content", [{"SecretString": " \n"}, {"SecretBinary": b"x"}])
def test_a_secret_without_a_text_says_what_to_do(
    store: SecretStore, clients: Clients, content: Any
) -> None:
    clients.secrets.create_secret(Name="empty", **content)
    with pytest.raises(MissingKey, match="put the key into it"):
        store.get("empty")


def test_a_secret_is_never_shown(store: SecretStore) -> None:
    value = store.get("model")
    assert value not in repr(vars(store))
