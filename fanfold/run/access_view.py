"""What an attempt might do, what it asked for beyond its files, and what it was denied."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from fanfold.run.events import AccessDecided, AccessGranted, CommandContained, ToolCalled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fanfold.run.events import EventData


def access_view(told: Iterable[EventData]) -> dict[str, Any]:
    """As JSON values: the last grant, and decisions with how often each was made, in order."""
    granted: AccessGranted | None = None
    decided: Counter[tuple[bool, str, str, str, str]] = Counter()
    for data in told:
        match data:
            case AccessGranted():
                granted = data
            case AccessDecided(operation=operation, subject=subject, by=by, allowed=allowed):
                decided[allowed, operation.value, subject, by, data.refusal or ""] += 1
            case ToolCalled(allowed=False):
                decided[False, data.name, data.subject, "", data.refusal or data.why] += 1
            case CommandContained(kind=kind, subject=subject):
                decided[False, kind.value, subject, "commands", kind.value] += 1
            case _:
                pass
    keys = ("allowed", "operation", "subject", "by", "refusal")
    rows = [dict(zip((*keys, "times"), (*key, n), strict=True)) for key, n in decided.items()]
    return {
        "operations": list(granted.operations) if granted else [],
        "tools": list(granted.tools) if granted else [],
        "hosts": list(granted.hosts) if granted else [],
        "decided": rows,
    }
