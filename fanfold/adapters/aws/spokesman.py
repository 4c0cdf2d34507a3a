"""A person's word to a run in the cloud, by way of the function `answer`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.adapters.aws.failures import translated
from fanfold.errors import CloudError, UserError
from fanfold.steps.answer import WORDS

if TYPE_CHECKING:
    from fanfold.adapters.aws.granted import Invoker
    from fanfold.ports import Clock
    from fanfold.run.events import RunResumed
    from fanfold.steps.answer import Word

TRIES = 4
PAUSE_S = 0.5
_OVERTAKEN = frozenset({"CloudUnavailable", "LeaseLost", "StreamConflict"})
_NAMES = {kind: name for name, kind in WORDS.items()}


class Spokesman:
    """Has words appended to a run's log, and the run go on. Safe to repeat."""

    def __init__(self, client: Invoker, function: str, clock: Clock) -> None:
        self._client, self._function, self._clock = client, function, clock

    def say(self, run_id: str, word: Word, by: str, then: RunResumed | None = None) -> None:
        """A word that another one overtakes is said again; `then` is said in the same breath.

        Raises `UserError` for one that the run does not wait for, or `CloudError`.
        """
        said = {**msgspec.to_builtins(word), "run_id": run_id, "word": _NAMES[type(word)], "by": by}
        if then is not None:
            said |= {"generation": then.generation, "cap": then.cap}
        for tries_left in reversed(range(TRIES)):
            told = self._call(run_id, said)
            if told is None:
                return
            if told.get("errorType") not in _OVERTAKEN or not tries_left:
                raise _refusal(run_id, told)
            self._clock.sleep(PAUSE_S)

    def _call(self, run_id: str, said: dict[str, Any]) -> dict[str, Any] | None:
        """What the function ended with, if it was an error."""
        with translated(f"answer run {run_id!r}"):
            answer = self._client.invoke(
                FunctionName=self._function, Payload=msgspec.json.encode(said)
            )
            told = answer["Payload"].read()
        return msgspec.json.decode(told) if "FunctionError" in answer else None


def _refusal(run_id: str, told: dict[str, Any]) -> UserError | CloudError:
    kind, said = told.get("errorType", ""), told.get("errorMessage", "")
    if kind == UserError.__name__:
        return UserError(said)
    return CloudError(f"cannot answer run {run_id!r}: {said} ({kind})", kind)
