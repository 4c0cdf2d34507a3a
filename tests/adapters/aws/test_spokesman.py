"""A person's word on its way to a run in the cloud."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from fanfold.adapters.aws.spokesman import PAUSE_S, TRIES, Spokesman
from fanfold.errors import CloudError, UserError
from fanfold.run.events import ApprovalDenied, RetryRequested, RunResumed
from tests.fakes.memory import ManualClock


class Answering:
    """The function `answer`: ends with these errors, one a call, and then well."""

    def __init__(self, *errors: str) -> None:
        self.errors, self.heard = list(errors), list[dict[str, Any]]()

    def invoke(self, **request: Any) -> Any:
        assert request["FunctionName"] == "answer"
        self.heard.append(json.loads(request["Payload"]))
        if not self.errors:
            return {"Payload": io.BytesIO(b"null")}
        told = {"errorType": self.errors.pop(0), "errorMessage": "why"}
        body = io.BytesIO(json.dumps(told).encode())
        return {"Payload": body, "FunctionError": "Unhandled"}


def test_a_word_goes_as_the_function_reads_it() -> None:
    answering = Answering()
    spokesman = Spokesman(answering, "answer", ManualClock())
    spokesman.say("r1", ApprovalDenied("1.3", "no tests"), "ada")
    spokesman.say("r1", RunResumed(4, 9_000_000), "ada")
    denied, resumed = answering.heard
    assert denied == {
        **{"run_id": "r1", "word": "reject", "by": "ada", "gate": "1.3", "reason": "no tests"},
    }
    assert (resumed["word"], resumed["generation"], resumed["cap"]) == ("resume", 4, 9_000_000)


def test_a_change_goes_with_the_generation_that_follows() -> None:
    answering = Answering()
    word = RetryRequested("1.2", "in lib/")
    Spokesman(answering, "answer", ManualClock()).say("r1", word, "ada", RunResumed(3, 9))
    (said,) = answering.heard
    assert (said["word"], said["unit"], said["hint"], said["by"]) == (
        *("retry", "1.2", "in lib/", "ada"),
    )
    assert (said["generation"], said["cap"]) == (3, 9)


def test_a_word_that_was_overtaken_is_said_again() -> None:
    answering, clock = Answering("StreamConflict", "Superseded"), ManualClock()
    Spokesman(answering, "answer", clock).say("r1", RunResumed(2), "ada")
    assert len(answering.heard) == 3
    assert clock.monotonic() == 2 * PAUSE_S


def test_a_word_that_the_run_does_not_wait_for_is_the_users_mistake() -> None:
    answering = Answering("UserError")
    with pytest.raises(UserError, match="why"):
        Spokesman(answering, "answer", ManualClock()).say("r1", RunResumed(2), "ada")
    assert len(answering.heard) == 1


@pytest.mark.parametrize(("errors", "calls"), [(["Boom"], 1), (["LeaseLost"] * TRIES, TRIES)])
def test_what_does_not_go_away_is_told(errors: list[str], calls: int) -> None:
    answering = Answering(*errors)
    with pytest.raises(CloudError, match=errors[0]):
        Spokesman(answering, "answer", ManualClock()).say("r1", RunResumed(2), "ada")
    assert len(answering.heard) == calls
