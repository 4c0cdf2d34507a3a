"""A person's word to a run in the cloud, by way of the function `answer`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.adapters.aws.failures import translated
from fanfold.errors import CloudError, UserError
from fanfold.steps.answer import WORDS
from fanfold.steps.answer_batch import BATCH_WORDS

if TYPE_CHECKING:
    from fanfold.adapters.aws.granted import Invoker
    from fanfold.ports import Clock
    from fanfold.run.events import RunResumed
    from fanfold.steps.answer import Word
    from fanfold.steps.answer_batch import BatchWord

TRIES = 4
PAUSE_S = 0.5
_OVERTAKEN = frozenset({"CloudUnavailable", "LeaseLost", "StreamConflict", "Superseded"})
_NAMES = {kind: name for name, kind in WORDS.items()}
_BATCH_NAMES = {kind: name for name, kind in BATCH_WORDS.items()}


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
        self._say(f"run {run_id!r}", said)

    def say_to_batch(self, batch_id: str, word: BatchWord, by: str) -> None:
        """The same to a batch. Raises `UserError` for one that has ended, or `CloudError`."""
        name = _BATCH_NAMES[type(word)]
        said = {**msgspec.to_builtins(word), "batch_id": batch_id, "word": name, "by": by}
        self._say(f"batch {batch_id!r}", said)

    def _say(self, whom: str, said: dict[str, Any]) -> None:
        for tries_left in reversed(range(TRIES)):
            told = self._call(whom, said)
            if told is None:
                return
            if told.get("errorType") not in _OVERTAKEN or not tries_left:
                raise _refusal(whom, told)
            self._clock.sleep(PAUSE_S)

    def _call(self, whom: str, said: dict[str, Any]) -> dict[str, Any] | None:
        """What the function ended with, if it was an error."""
        with translated(f"answer {whom}"):
            answer = self._client.invoke(
                FunctionName=self._function, Payload=msgspec.json.encode(said)
            )
            told = answer["Payload"].read()
        return msgspec.json.decode(told) if "FunctionError" in answer else None


def _refusal(whom: str, told: dict[str, Any]) -> UserError | CloudError:
    kind, said = told.get("errorType", ""), told.get("errorMessage", "")
    if kind == UserError.__name__:
        return UserError(said)
    return CloudError(f"cannot answer {whom}: {said} ({kind})", kind)
