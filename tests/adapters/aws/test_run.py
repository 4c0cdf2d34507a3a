"""A whole run whose every trace is in the account, against the same run on this machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from fanfold.adapters.aws.artifact_store import S3ArtifactStore
from fanfold.adapters.aws.event_store import DynamoEventStore
from fanfold.adapters.aws.lease import DynamoLease
from fanfold.adapters.aws.projections import Projections
from fanfold.adapters.aws.table import Table
from fanfold.adapters.git.snapshots import (
    SnapshotRepository,
    published_folder,
    push_snapshot,
    take_packs,
)
from fanfold.adapters.git.workspaces import GitWorkspaces
from fanfold.adapters.local.checks import TreeChecks
from fanfold.adapters.local.event_store import JsonlEventStore
from fanfold.adapters.local.sandbox import NoSandbox
from fanfold.adapters.local.scripted_model import ScriptedPrices, scripted
from fanfold.bootstrap import local, open_project
from fanfold.cli.demo.agents import agents
from fanfold.cli.demo.repository import FILES, PLAN
from fanfold.cli.main import command_parser
from fanfold.cli.plans import read_plan
from fanfold.cli.request import build_request
from fanfold.engine import LocalEngine
from fanfold.run.events import ApprovalGranted, attempt_stream, run_stream
from fanfold.run.state import Outcome
from fanfold.run.view import outcome_of
from fanfold.settings import Model, environment
from fanfold.steps.journal import Journal
from fanfold.steps.request import submit
from tests.fakes.memory import ManualClock
from tests.fakes.projects import git, make_repository
from tests.kit.account import BUCKET, COORDINATION, EVENTS, PROJECTIONS
from tests.kit.faults import THROTTLED, faults

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fanfold.adapters.aws.clients import Clients
    from fanfold.bootstrap import Project
    from fanfold.ports import EventStore
    from fanfold.steps.request import Request
    from fanfold.steps.wiring import Wiring

OF_THE_MACHINE = {"holder", "duration_ms", "duration_s"}
CHECK = "! grep -q 'text.at : at' textkit/wrap.py 2>/dev/null"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    opened = open_project(make_repository(tmp_path / "project", FILES))
    opened.prepare()
    settings = msgspec.structs.replace(opened.settings, model=Model(provider="scripted"))
    return replace(opened, settings=settings, clock=ManualClock())


@pytest.fixture
def request_(project: Project) -> Request:
    words = [PLAN, "--unit", "task", "--check", CHECK, "--no-sandbox", "--concurrency", "1"]
    plan = read_plan(project, PLAN)
    return build_request(project, plan, command_parser("run").parse_args(words), 5_000_000)


def on_this_machine(project: Project) -> Wiring:
    clock = ManualClock()
    events = JsonlEventStore(project.workspace_dir, project.name, clock)
    wiring = local(project, sandbox=False, events=events, models=model(), prices=ScriptedPrices())
    return replace(wiring, clock=clock)


def in_the_account(project: Project, request: Request, clients: Clients, scratch: Path) -> Wiring:
    """As a function would open it that has never seen the run: an empty folder and the account."""
    clock = ManualClock()
    artifacts = S3ArtifactStore(clients.s3, BUCKET)
    repository = SnapshotRepository(
        scratch / "repository",
        artifacts,
        home=published_folder(request.run_id),
        snapshots=[request.base],
    )
    workspaces = GitWorkspaces(repository, scratch, NoSandbox(environment()))
    return replace(
        on_this_machine(project),
        events=DynamoEventStore(Table(clients.dynamodb, EVENTS), project.name, clock, artifacts),
        artifacts=artifacts,
        lease=DynamoLease(Table(clients.dynamodb, COORDINATION), clock),
        repository=repository,
        workspaces=workspaces,
        checks=TreeChecks(workspaces),
    )


def model() -> Any:
    return scripted(agents(), sleep=lambda _: None)


def told(events: EventStore, run_id: str) -> list[tuple[str, str, Any]]:
    """Every event of the run's streams, but for who ran it and how long it took."""
    streams = sorted([run_stream(run_id), *events.streams(attempt_stream(run_id, ""))])
    return [(e.stream, e.event_type, _timeless(e.data)) for s in streams for e in events.read(s)]


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {k: _timeless(v) for k, v in fields.items() if k not in OF_THE_MACHINE}
    if isinstance(value, list):
        return [_timeless(member) for member in cast("list[Any]", value)]
    return value


@pytest.fixture
def cloud(
    project: Project, request_: Request, clients: Clients, tmp_path: Path
) -> Callable[[str], Wiring]:
    push_snapshot(project.repository, request_.base, S3ArtifactStore(clients.s3, BUCKET))
    return lambda name: in_the_account(project, request_, clients, tmp_path / name)


def test_a_run_in_the_account_is_the_run_of_this_machine(
    project: Project, request_: Request, cloud: Callable[[str], Wiring]
) -> None:
    here = played(project, request_, lambda _: on_this_machine(project))
    there = played(project, request_, cloud)
    logs = [told(wiring.events, request_.run_id) for wiring in (here, there)]
    assert logs[0] == logs[1]
    assert logs[0][-1][1] == "attempt_ended"


def test_lost_answers_and_throttles_leave_no_trace_in_a_run(
    project: Project, request_: Request, cloud: Callable[[str], Wiring]
) -> None:
    here = played(project, request_, lambda _: on_this_machine(project))
    with faults() as injected:
        for _ in range(200):
            for operation in ("PutItem", "UpdateItem", "PutObject", "Query", "GetItem"):
                injected.lose_answer(operation)
                injected.before(operation, lambda: None)
                injected.refuse(operation, THROTTLED)
                injected.before(operation, lambda: None)
        there = played(project, request_, cloud)
        assert len(injected.sent) > 200
    assert told(there.events, request_.run_id) == told(here.events, request_.run_id)


def test_the_result_comes_back_and_the_run_is_listed(
    project: Project,
    request_: Request,
    cloud: Callable[[str], Wiring],
    clients: Clients,
    tmp_path: Path,
) -> None:
    there = played(project, request_, cloud)
    journal = Journal(there.events, request_.run_id)
    written = journal.refresh().written
    assert written is not None

    views = Projections(Table(clients.dynamodb, PROJECTIONS), project.name, there.events)
    views.rebuild()
    assert [(row.standing, row.spent) for row in views.runs()] == [
        ("completed", journal.state.spent)
    ]

    clone = make_repository(tmp_path / "clone", {})
    git(clone, "fetch", "-q", str(project.root), request_.base)
    repository = open_project(clone).repository
    take_packs(repository, there.artifacts, published_folder(request_.run_id))
    repository.set_ref("refs/heads/result", written.tip)
    assert git(clone, "rev-parse", "result^{tree}") == written.tree
    git(clone, "fsck", "--strict")


def played(project: Project, request: Request, opened: Callable[[str], Wiring]) -> Wiring:
    """Submitted, driven to its gate, and by other hands past it to its end."""
    first = opened("one")
    submit(first.events, first.artifacts, request, read_plan(project, PLAN).data)
    assert outcome_of(LocalEngine(first, "one").drive(request.run_id)) is Outcome.WAITING
    second = opened("two")
    journal = Journal(second.events, request.run_id)
    journal.refresh()
    journal.append(ApprovalGranted("1.4", by="test"), actor="test")
    assert LocalEngine(second, "two").resume(request.run_id).outcome is Outcome.COMPLETED
    return second
