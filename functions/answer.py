"""Answer: a person answers at a gate, cancels a run, changes it or has it go on; or a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.bootstrap_aws import deployed
from fanfold.run.events import RunResumed
from fanfold.steps.answer import WORDS, answer
from fanfold.steps.answer_batch import BATCH_WORDS, answer_batch
from functions.handling import Said, SaidToBatch, logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from fanfold.bootstrap_aws import Cloud


@logger.inject_lambda_context(correlation_id_path="run_id")
def handler(event: dict[str, Any], _context: LambdaContext, cloud: Cloud | None = None) -> None:
    """Raises `UserError` for a gate that does not wait, `KeyError` for an unknown word."""
    supervision = (cloud or deployed()).supervision
    if "batch_id" in event:
        told = msgspec.convert(event, SaidToBatch)
        answer_batch(
            told.batch_id, msgspec.convert(event, BATCH_WORDS[told.word]), supervision, told.by
        )
        return
    said = msgspec.convert(event, Said)
    word = msgspec.convert(event, WORDS[said.word])
    goes_on = said.generation and not isinstance(word, RunResumed)
    then = RunResumed(said.generation, said.cap) if goes_on else None
    answer(said.run_id, word, supervision, said.by, then)
