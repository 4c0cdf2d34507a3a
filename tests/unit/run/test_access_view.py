"""The audit of an attempt, as `show` tells it."""

from __future__ import annotations

from typing import Any

from fanfold.run.access import Operation, Refusal
from fanfold.run.access_view import access_view
from fanfold.run.events import AccessDecided, AccessGranted, CommandContained, ToolCalled
from fanfold.run.incidents import IncidentKind


def called(name: str, subject: str, refusal: Refusal | None = None) -> ToolCalled:
    told = (name, refusal is None, "why", "1", "2", True, 3)
    return ToolCalled(*told, subject=subject, refusal=refusal)


def row(*, allowed: bool, times: int = 1, **fields: str) -> dict[str, Any]:
    return {"allowed": allowed, **fields, "times": times}


def test_what_was_granted_asked_for_and_denied_is_told_each_once() -> None:
    connect = AccessDecided(Operation.CONNECT, "pypi.org:443", "commands", allowed=True)
    key = AccessDecided(Operation.SECRET, "A_KEY", "fanfold", allowed=True)
    told = access_view(
        [
            key,
            AccessGranted("tester", ("bash",), ("read", "run"), hosts=("pypi.org",)),
            called("read", "a.py"),
            called("write", "plan.md", refusal=Refusal.CONTROL),
            connect,
            connect,
            CommandContained(IncidentKind.REFUSED, "Permission denied"),
        ]
    )
    assert told == {
        "operations": ["read", "run"],
        "tools": ["bash"],
        "hosts": ["pypi.org"],
        "decided": [
            row(allowed=True, operation="secret.read", subject="A_KEY", by="fanfold", refusal=""),
            row(allowed=False, operation="write", subject="plan.md", by="", refusal="control_file"),
            row(
                allowed=True,
                operation="network.connect",
                subject="pypi.org:443",
                by="commands",
                refusal="",
                times=2,
            ),
            row(
                allowed=False,
                operation="refused",
                subject="Permission denied",
                by="commands",
                refusal="refused",
            ),
        ],
    }


def test_an_attempt_that_has_not_begun_has_nothing() -> None:
    assert access_view([]) == {"operations": [], "tools": [], "hosts": [], "decided": []}
