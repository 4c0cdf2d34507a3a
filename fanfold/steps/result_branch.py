"""The branch of a result, the only one of the project that fanfold moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.errors import AccessDenied
from fanfold.run.access import HARNESS, Operation

if TYPE_CHECKING:
    from fanfold.ports import Repository


def move_branch(repository: Repository, branch: str, tip: str) -> None:
    """Let a result's branch lead to `tip`. Raises `AccessDenied` for any other branch."""
    ref = f"refs/heads/{branch}"
    decision = HARNESS.decide(Operation.COMMIT, ref)
    if not decision.allowed:
        raise AccessDenied(decision.why)
    repository.set_ref(ref, tip)
