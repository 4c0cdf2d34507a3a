"""Prepare: whether the trees of the next step have their layers, and what to build where not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.bootstrap_aws import deployed
from fanfold.steps.perform import current
from fanfold.steps.prepare import Prepare
from functions.handling import PrepareTurn, logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from fanfold.bootstrap_aws import Cloud


@logger.inject_lambda_context(correlation_id_path="run_id")
def handler(
    event: dict[str, Any], _context: LambdaContext, cloud: Cloud | None = None
) -> dict[str, Any]:
    """Raises `Superseded`."""
    turn = msgspec.convert(event, PrepareTurn)
    cloud = cloud or deployed()
    supervision, preparing = cloud.supervision, cloud.preparing(turn.run_id)
    journal = supervision.journal(turn.run_id)
    current(journal, turn.generation)
    look = Prepare(
        journal, supervision.artifacts, preparing.layers, supervision.lease, preparing.naming
    )
    outlook = look(turn.trees, turn.built)
    logger.info(outlook.word, tree=outlook.tree, digest=outlook.digest)
    return msgspec.to_builtins(outlook)
