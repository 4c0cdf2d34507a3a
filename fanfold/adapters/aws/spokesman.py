"""A person's word to a run in the cloud, by way of the function `answer`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.adapters.aws.failures import translated
from fanfold.errors import CloudError, UserError
from fanfold.run.events import ApprovalDenied, ApprovalGranted, CancelRequested, RunResumed

if TYPE_CHECKING:
    from fanfold.adapters.aws.granted import Invoker
    from fanfold.steps.answer import Word

_WORDS: dict[type[Word], str] = {
    ApprovalGranted: "approve",
    ApprovalDenied: "reject",
    CancelRequested: "cancel",
    RunResumed: "resume",
}


class Spokesman:
    """Has words appended to a run's log, and the run go on. Safe to repeat."""

    def __init__(self, client: Invoker, function: str) -> None:
        self._client, self._function = client, function

    def say(self, run_id: str, word: Word, by: str) -> None:
        """Raises `UserError` for a word that the run does not wait for, or `CloudError`."""
        said = {**msgspec.to_builtins(word), "run_id": run_id, "word": _WORDS[type(word)], "by": by}
        with translated(f"answer run {run_id!r}"):
            answer = self._client.invoke(
                FunctionName=self._function, Payload=msgspec.json.encode(said)
            )
            told = answer["Payload"].read()
        if "FunctionError" in answer:
            raise _refusal(run_id, msgspec.json.decode(told))


def _refusal(run_id: str, told: dict[str, Any]) -> UserError | CloudError:
    kind, said = told.get("errorType", ""), told.get("errorMessage", "")
    if kind == UserError.__name__:
        return UserError(said)
    return CloudError(f"cannot answer run {run_id!r}: {said} ({kind})", kind)
