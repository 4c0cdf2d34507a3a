"""The categories that events are read by, so that a page of one of them can be asked for."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from fanfold.run.access import Operation
from fanfold.run.incidents import IncidentKind

if TYPE_CHECKING:
    from fanfold.run.events import Envelope

NETWORK = frozenset({IncidentKind.HOST.value, IncidentKind.ADDRESS.value})


class Category(StrEnum):
    """What an event is about."""

    AUTHENTICATION = "authentication"  # who took an attempt, and by what right
    AUTHORIZATION = "authorization"  # what was allowed, denied, or decided by a person
    SANDBOX = "sandbox"  # what a command was kept from, or ended for
    NETWORK = "network"  # hosts that were reached or denied
    DATA_ACCESS = "data_access"  # files that were read and written
    AGENT = "agent"  # everything else that an attempt did
    RUN = "run"  # the run itself


_BY_TYPE = {
    "attempt_claimed": Category.AUTHENTICATION,
    "access_granted": Category.AUTHORIZATION,
    "approval_requested": Category.AUTHORIZATION,
    "approval_granted": Category.AUTHORIZATION,
    "approval_denied": Category.AUTHORIZATION,
    "patch_held": Category.AUTHORIZATION,
    "patch_rejected": Category.AUTHORIZATION,
}


def category_of(envelope: Envelope) -> Category:
    """A denied tool call is about authorization, an allowed one about data."""
    data: dict[str, Any] = envelope.data
    match envelope.event_type:
        case "command_contained":
            return Category.NETWORK if data.get("kind") in NETWORK else Category.SANDBOX
        case "access_decided":
            connects = data.get("operation") == Operation.CONNECT
            return Category.NETWORK if connects else Category.AUTHORIZATION
        case "tool_called":
            return Category.DATA_ACCESS if data.get("allowed") else Category.AUTHORIZATION
        case _:
            is_attempt = "/attempt/" in envelope.stream
            return _BY_TYPE.get(envelope.event_type, Category.AGENT if is_attempt else Category.RUN)
