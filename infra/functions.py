"""The control functions: how large each is and what it may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aws_cdk import aws_iam as iam

    from infra.constructs.access import Access

RUNS, SNAPSHOTS, REQUESTS, DEPENDENCIES = "runs/", "snapshots/", "requests/", "deps/"
QUEUE, WAITING = "queue/", "waiting/"
BATCHES, UNDER_WAY = "batches/", "under-way/"
SUPERVISED = (RUNS, BATCHES, REQUESTS, QUEUE, WAITING, UNDER_WAY)


class Size(NamedTuple):
    """Seconds that a call may take, and memory in MB, which buys its share of a processor."""

    timeout_s: int
    memory_mb: int


CONTROL = {
    "admit": Size(120, 1024),
    "decide": Size(60, 1024),
    "prepare": Size(600, 2048),
    "merge": Size(600, 2048),
    "verify": Size(900, 1024),
    "ask": Size(30, 512),
    "write_back": Size(120, 1024),
    "finish": Size(120, 1024),
    "grant": Size(30, 512),
    "answer": Size(30, 512),
    "start": Size(30, 512),
    "promote": Size(60, 512),
    "project": Size(60, 512),
    "reap": Size(60, 512),
    "rotate": Size(60, 512),
}
SCANNING = frozenset({"admit", "merge", "verify", "write_back"})
"""Those that take secrets out of what they write."""
ATTEMPT = Size(840, 2048)


def statements(name: str, access: Access) -> Sequence[iam.PolicyStatement]:
    """What the function `name` may do beyond writing its own log and traces."""
    return [*_own(name, access), access.use_key()]


def roles(root: Path) -> list[str]:
    """The kinds of agents, by the definitions that come with fanfold."""
    return sorted(path.stem for path in (root / "roles").glob("*.md"))


def control(root: Path, *, with_key: bool) -> list[str]:
    """Those that have a handler; `rotate` only where there is a key to rotate."""
    return [name for name in present(root, list(CONTROL)) if with_key or name != "rotate"]


def present(root: Path, names: Sequence[str]) -> list[str]:
    """Those of `names` that have a handler."""
    return [name for name in names if (root / "functions" / f"{name}.py").exists()]


def work(access: Access) -> Sequence[iam.PolicyStatement]:
    """What a worker may do: call its model, and `grant`, which gives it an attempt's rights."""
    return [*access.call_models(), access.invoke("grant")]


def build(access: Access) -> Sequence[iam.PolicyStatement]:
    """What the builder may do: read objects that trees are made of, and write what it made."""
    return [
        access.read_artifacts("runs/*/git/", "runs/*/base.json", SNAPSHOTS, DEPENDENCIES),
        *(access.list_artifacts(), access.write_artifacts(DEPENDENCIES), access.use_key()),
    ]


def _own(name: str, access: Access) -> list[iam.PolicyStatement]:
    fold = [access.read_events(), access.append_events(), access.list_artifacts()]
    step = [
        *(*fold, access.read_artifacts(RUNS, SNAPSHOTS, DEPENDENCIES)),
        access.write_artifacts(RUNS, SNAPSHOTS),
    ]
    supervise = [
        *(*fold, access.read_artifacts(*SUPERVISED, SNAPSHOTS, DEPENDENCIES)),
        access.write_artifacts(*SUPERVISED),
        *(access.delete_artifacts(QUEUE, WAITING, UNDER_WAY), access.coordinate()),
        *(access.start_runs(), access.look_at_runs(), access.answer_runs()),
    ]
    table: dict[str, list[iam.PolicyStatement]] = {
        "admit": step,
        "decide": supervise,
        "prepare": [
            *(*fold, access.read_artifacts(RUNS, SNAPSHOTS, DEPENDENCIES)),
            *(access.write_artifacts(RUNS), access.hold_leases()),
        ],
        "merge": step,
        "verify": [*step, access.invoke("check")],
        "ask": supervise,
        "write_back": step,
        "finish": step,
        "grant": [
            *(access.read_events(), access.list_artifacts(), access.read_artifacts(RUNS)),
            *(access.hold_leases("claim"), *access.seal_passes()),
        ],
        "answer": supervise,
        "start": supervise,
        "promote": supervise,
        "project": [
            *(access.read_events(), access.follow_events(), access.project_events()),
            *(access.list_artifacts(), access.read_artifacts(RUNS, BATCHES), access.announce()),
        ],
        "reap": supervise,
        "rotate": access.rotate_key(),
    }
    return table[name]
