"""Answer: a person approves or rejects at a gate, cancels the run, or has it go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.bootstrap_aws import deployed
from fanfold.run.events import ApprovalDenied, ApprovalGranted, CancelRequested, RunResumed
from fanfold.steps.answer import answer
from functions.handling import Said, logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from fanfold.bootstrap_aws import Cloud
    from fanfold.steps.answer import Word


@logger.inject_lambda_context(correlation_id_path="run_id")
def handler(event: dict[str, Any], _context: LambdaContext, cloud: Cloud | None = None) -> None:
    """Raises `UserError` for a gate that does not wait, `KeyError` for an unknown word."""
    said = msgspec.convert(event, Said)
    words: dict[str, Word] = {
        "approve": ApprovalGranted(said.gate, said.by),
        "reject": ApprovalDenied(said.gate, said.reason, said.by),
        "cancel": CancelRequested(said.by),
        "resume": RunResumed(said.generation, said.cap, said.handover),
    }
    answer(said.run_id, words[said.word], (cloud or deployed()).supervision, said.by)
