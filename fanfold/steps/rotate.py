"""Rotate: put a new key in the place of the old one, once the API accepts it.

Keys of the model API are made by people, in its console. So a rotation takes up the one that was
staged as `NEXT`, and fails, which an alarm tells, where nobody has staged one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from fanfold.errors import MissingKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.ports import Vault

CURRENT, PENDING, NEXT = "AWSCURRENT", "AWSPENDING", "NEXT"


class Stage(StrEnum):
    """The calls of one rotation, in their order; each may come again."""

    CREATE = "createSecret"
    SET = "setSecret"
    TEST = "testSecret"
    FINISH = "finishSecret"


def rotate(
    stage: Stage, secret: str, version: str, vault: Vault, accepts: Callable[[str], bool]
) -> None:
    """Carry out one stage for the new `version`; `accepts` asks the API about a key.

    Raises `MissingKey` where there is no new key, or it is not accepted.
    """
    if vault.version(secret, CURRENT) == version:
        return
    match stage:
        case Stage.CREATE:
            _create(secret, version, vault)
        case Stage.SET:
            pass  # who made the key has told the API of it already
        case Stage.TEST:
            if not accepts(_value(secret, PENDING, vault)):
                raise MissingKey(f"the new key of secret {secret!r} is not accepted; stage another")
        case Stage.FINISH:
            vault.move(secret, CURRENT, version)
            vault.move(secret, NEXT, None)


def _create(secret: str, version: str, vault: Vault) -> None:
    if vault.value(secret, PENDING) is not None and vault.version(secret, PENDING) == version:
        return
    new = _value(secret, NEXT, vault)
    if new == vault.value(secret, CURRENT):
        raise MissingKey(f"the key staged as {NEXT} in secret {secret!r} is the current one")
    vault.put(secret, version, new, PENDING)


def _value(secret: str, label: str, vault: Vault) -> str:
    value = vault.value(secret, label)
    if not value:
        raise MissingKey(
            f"secret {secret!r} has no {label} version: stage a new key with `aws secretsmanager"
            f" put-secret-value --version-stages {NEXT}`, then rotate"
        )
    return value
