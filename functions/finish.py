"""Finish: write the result and record how the run ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.handling import carry_out, logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from fanfold.bootstrap_aws import Cloud


@logger.inject_lambda_context(correlation_id_path="run_id")
def handler(event: dict[str, Any], _context: LambdaContext, cloud: Cloud | None = None) -> None:
    """Raises `Superseded`, and what the step raises."""
    carry_out(event, cloud)
