"""Check: run commands on a tree; a function whose role can do nothing but log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.bootstrap_check import carry_out
from fanfold.steps.check import Order

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

MARGIN_S = 30.0


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """How many of the commands were run; raises what keeps it from any."""
    order = msgspec.convert(event, Order)
    left_s = context.get_remaining_time_in_millis() / 1000 - MARGIN_S
    return msgspec.to_builtins(carry_out(order, left_s))
