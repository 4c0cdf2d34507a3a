"""Grant: hand a worker the lease and the rights of the one attempt that its key opens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.bootstrap_aws import deployed
from fanfold.run.grant import Request
from fanfold.steps.grant import grant
from functions.handling import logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from fanfold.bootstrap_aws import Cloud


@logger.inject_lambda_context(correlation_id_path="run_id", clear_state=True)
def handler(
    event: dict[str, Any], _context: LambdaContext, cloud: Cloud | None = None
) -> dict[str, Any]:
    """Raises what the step raises; the event and the answer hold secrets and are never logged."""
    asked: Request = msgspec.convert(event, Request)
    cloud = cloud or deployed()
    granted = grant(asked, cloud.supervision, cloud.sessions)
    logger.info("granted", ask=asked.__struct_config__.tag, attempt=asked.attempt)
    return msgspec.to_builtins(granted)
