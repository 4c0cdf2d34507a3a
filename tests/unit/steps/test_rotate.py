"""A new key takes the place of the old one only when the API accepts it, however often asked."""

from __future__ import annotations

import pytest

from fanfold.errors import MissingKey
from fanfold.steps.rotate import CURRENT, NEXT, PENDING, Stage, rotate

SECRET = "model-key"
OLD, NEW = "-".join(("old", "key")), "-".join(("new", "key"))


class MemoryVault:
    """`ports.Vault` of one secret, whose rotation to version `v2` has begun."""

    def __init__(self, staged: str | None) -> None:
        self.values = {"v1": OLD, **({"v0": staged} if staged else {})}
        self.labels = {CURRENT: "v1", PENDING: "v2", **({NEXT: "v0"} if staged else {})}

    def version(self, secret: str, label: str) -> str | None:
        return self.labels.get(label)

    def value(self, secret: str, label: str) -> str | None:
        return self.values.get(self.labels.get(label, ""))

    def put(self, secret: str, version: str, value: str, label: str) -> None:
        assert self.values.get(version) in {None, value}
        self.values[version], self.labels[label] = value, version

    def move(self, secret: str, label: str, version: str | None) -> None:
        self.labels.pop(label, None)
        if version:
            self.labels[label] = version


def run(vault: MemoryVault, *stages: Stage, accepted: str = NEW, times: int = 1) -> None:
    for stage in stages:
        for _ in range(times):
            rotate(stage, SECRET, "v2", vault, lambda key: key == accepted)


@pytest.mark.parametrize("times", [1, 2])
def test_a_staged_key_that_is_accepted_becomes_the_current_one(times: int) -> None:
    vault = MemoryVault(NEW)
    run(vault, *Stage, times=times)
    assert vault.value(SECRET, CURRENT) == NEW
    assert NEXT not in vault.labels


def test_a_key_that_is_not_accepted_changes_nothing() -> None:
    vault = MemoryVault(NEW)
    run(vault, Stage.CREATE, Stage.SET)
    with pytest.raises(MissingKey, match="not accepted") as refused:
        run(vault, Stage.TEST, accepted="another")
    assert NEW not in str(refused.value)
    assert vault.value(SECRET, CURRENT) == OLD


def test_without_a_staged_key_the_rotation_says_how_to_stage_one() -> None:
    vault = MemoryVault(None)
    with pytest.raises(MissingKey, match="--version-stages NEXT"):
        run(vault, Stage.CREATE)
    with pytest.raises(MissingKey):
        run(vault, Stage.TEST)
    assert vault.value(SECRET, CURRENT) == OLD


def test_the_current_key_is_no_new_one() -> None:
    with pytest.raises(MissingKey, match="is the current one") as refused:
        run(MemoryVault(OLD), Stage.CREATE)
    assert OLD not in str(refused.value)


def test_a_rotation_that_is_over_is_not_done_again() -> None:
    vault = MemoryVault(NEW)
    run(vault, *Stage)
    run(vault, *Stage, accepted="another")
    assert vault.value(SECRET, CURRENT) == NEW
