"""Rotate: one stage of putting a new key in the place of the old one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.bootstrap_aws import accepts_key, vault
from fanfold.steps.rotate import Stage, rotate
from functions.handling import logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from fanfold.ports import Vault


class Asked(msgspec.Struct, frozen=True, rename="pascal"):
    """A call of Secrets Manager; the token names the new version."""

    step: Stage
    secret_id: str
    client_request_token: str


@logger.inject_lambda_context
def handler(
    event: dict[str, Any],
    _context: LambdaContext,
    store: Vault | None = None,
    accepts: Callable[[str], bool] = accepts_key,
) -> None:
    """Raises `MissingKey` where there is no new key that is accepted."""
    asked = msgspec.convert(event, Asked)
    rotate(asked.step, asked.secret_id, asked.client_request_token, store or vault(), accepts)
    logger.info("rotated", stage=asked.step.value)
