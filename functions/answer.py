"""Answer: a person answers at a gate, cancels a run, changes it or has it go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.bootstrap_aws import deployed
from fanfold.run.events import RunResumed
from fanfold.steps.answer import WORDS, answer
from functions.handling import Said, logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from fanfold.bootstrap_aws import Cloud


@logger.inject_lambda_context(correlation_id_path="run_id")
def handler(event: dict[str, Any], _context: LambdaContext, cloud: Cloud | None = None) -> None:
    """Raises `UserError` for a gate that does not wait, `KeyError` for an unknown word."""
    said = msgspec.convert(event, Said)
    word = msgspec.convert(event, WORDS[said.word])
    goes_on = said.generation and not isinstance(word, RunResumed)
    then = RunResumed(said.generation, said.cap) if goes_on else None
    answer(said.run_id, word, (cloud or deployed()).supervision, said.by, then)
