"""Admit: parse the plan and record what the run is made of, unless that was done before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanfold.run.steps import Admit
from functions.handling import carry_out, logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from fanfold.bootstrap_aws import Cloud


@logger.inject_lambda_context(correlation_id_path="run_id")
def handler(event: dict[str, Any], _context: LambdaContext, cloud: Cloud | None = None) -> None:
    """Raises `Superseded`."""
    carry_out({**event, "step": {"type": Admit.__struct_config__.tag}}, cloud)
