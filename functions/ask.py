"""Ask: put gates before a person; the execution waits at no cost until one has spoken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.bootstrap_aws import deployed
from fanfold.steps.wait import wait
from functions.handling import AskTurn, logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from fanfold.bootstrap_aws import Cloud


@logger.inject_lambda_context(correlation_id_path="run_id")
def handler(event: dict[str, Any], _context: LambdaContext, cloud: Cloud | None = None) -> None:
    """Raises `Superseded`."""
    turn = msgspec.convert(event, AskTurn)
    cloud = cloud or deployed()
    journal = cloud.supervision.journal(turn.run_id)
    wiring = cloud.wiring(turn.run_id)
    wait(journal, turn.step, turn.generation, turn.token, wiring, cloud.supervision)
