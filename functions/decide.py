"""Decide: settle what ended, and answer with the next step; a wave is in the log by then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.bootstrap_aws import deployed
from fanfold.run.steps import Ended
from fanfold.steps.decide import advance
from fanfold.steps.grant import draw_keys
from fanfold.steps.hand_over import hand_over, is_superseded
from fanfold.steps.prepare import unprepared
from functions.handling import DecideTurn, logger
from functions.pointers import Targets, pointers

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from fanfold.bootstrap_aws import Cloud


@logger.inject_lambda_context(correlation_id_path="run_id")
def handler(
    event: dict[str, Any], _context: LambdaContext, cloud: Cloud | None = None
) -> dict[str, Any]:
    turn = msgspec.convert(event, DecideTurn)
    cloud = cloud or deployed()
    supervision = cloud.supervision
    journal = supervision.journal(turn.run_id)
    answer: dict[str, Any] = {"run_id": turn.run_id, "generation": turn.generation}
    if is_superseded(journal, turn.generation, supervision) or hand_over(
        journal, turn.execution, supervision
    ):
        return {**answer, "step": {"type": Ended.__struct_config__.tag}}
    trees = unprepared(journal.state, supervision.artifacts)
    project = cloud.project(turn.run_id)
    if trees:
        return {**answer, "step": {"type": "prepare", "trees": trees, "project": project}}
    step = advance(journal, supervision.lease)
    keys = draw_keys(step, journal.state, supervision)
    targets = Targets(turn.functions, turn.containers, cloud.concurrency)
    return {**answer, "step": pointers(step, journal.state, project, keys, targets)}
