"""The control functions: how large each is and what it may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aws_cdk import aws_iam as iam

    from infra.constructs.access import Access

RUNS, SNAPSHOTS, REQUESTS, DEPENDENCIES = "runs/", "snapshots/", "requests/", "deps/"


class Size(NamedTuple):
    """Seconds that a call may take, and memory in MB, which buys its share of a processor."""

    timeout_s: int
    memory_mb: int


CONTROL = {
    "admit": Size(120, 1024),
    "decide": Size(60, 1024),
    "merge": Size(600, 2048),
    "verify": Size(600, 1024),
    "ask": Size(30, 512),
    "write_back": Size(120, 1024),
    "finish": Size(120, 1024),
    "grant": Size(30, 512),
    "answer": Size(30, 512),
    "start": Size(30, 512),
    "promote": Size(60, 512),
    "project": Size(60, 512),
    "reap": Size(60, 512),
}
ATTEMPT = Size(840, 2048)
STEPS = ("admit", "decide", "merge", "verify", "ask", "write_back", "finish")
"""The functions that the state machine calls."""


def statements(name: str, access: Access) -> Sequence[iam.PolicyStatement]:
    """What the function `name` may do beyond writing its own log and traces."""
    return [*_own(name, access), access.use_key()]


def roles(root: Path) -> list[str]:
    """The kinds of agents, by the definitions that come with fanfold."""
    return sorted(path.stem for path in (root / "roles").glob("*.md"))


def present(root: Path, names: Sequence[str]) -> list[str]:
    """Those of `names` that have a handler."""
    return [name for name in names if (root / "functions" / f"{name}.py").exists()]


def _own(name: str, access: Access) -> list[iam.PolicyStatement]:
    fold = [access.read_events(), access.append_events(), access.list_artifacts()]
    runs = [access.read_artifacts(RUNS, SNAPSHOTS), access.write_artifacts(RUNS)]
    table: dict[str, list[iam.PolicyStatement]] = {
        "admit": [*fold, _read_requests(access), access.write_artifacts(RUNS), access.coordinate()],
        "decide": [*fold, *runs, access.coordinate(), access.start_runs()],
        "merge": [*fold, *runs],
        "verify": [*fold, *runs, access.invoke("check")],
        "ask": [*fold, *runs, access.coordinate(), access.announce()],
        "write_back": [*fold, *runs],
        "finish": [*fold, *runs, access.coordinate(), access.announce()],
        "grant": [access.read_events(), access.coordinate()],
        "answer": [*fold, *runs, access.coordinate(), access.answer_runs()],
        "start": [
            *(*fold, _read_requests(access), access.write_artifacts(RUNS)),
            *(access.coordinate(), access.start_runs(), access.look_at_runs()),
            *(access.receive_requests(), access.announce()),
        ],
        "promote": [
            *(*fold, _read_requests(access), access.coordinate()),
            *(access.start_runs(), access.look_at_runs()),
        ],
        "project": [access.read_events(), access.project_events()],
        "reap": [
            *(*fold, *runs, access.coordinate()),
            *(access.look_at_runs(), access.answer_runs(), access.start_runs()),
        ],
    }
    return table[name]


def _read_requests(access: Access) -> iam.PolicyStatement:
    return access.read_artifacts(RUNS, SNAPSHOTS, REQUESTS)
