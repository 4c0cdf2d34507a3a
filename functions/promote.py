"""Promote: start the runs that wait for a slot, the oldest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanfold.bootstrap_aws import deployed
from fanfold.steps.start import promote
from functions.handling import logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from fanfold.bootstrap_aws import Cloud


@logger.inject_lambda_context
def handler(_event: dict[str, Any], _context: LambdaContext, cloud: Cloud | None = None) -> None:
    promote((cloud or deployed()).supervision)
