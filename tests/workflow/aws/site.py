"""Where a scenario is played: one repository, one request, one clock, and any stores."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pygit2

from fanfold.adapters.local.scripted_model import ScriptedPrices, scripted
from fanfold.bootstrap import local, open_project
from fanfold.errors import FanfoldError
from fanfold.run.events import CheckSpec, RunLimits, RunOptions
from fanfold.steps.journal import Journal
from fanfold.steps.request import Request, submit
from tests.fakes.projects import PLAN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fanfold.ports import ArtifactStore
    from fanfold.run.events import Envelope, EventData
    from fanfold.run.state import RunState
    from fanfold.steps.wiring import Wiring
    from tests.fakes.stores import Stores
    from tests.workflow.aws.scenarios import Scenario

RUN = "5ce7a10000"
AUTHOR = ("Test", "test@localhost")


class OutOfOrder(FanfoldError):
    """The store of a scenario that refuses a key."""


class BrokenStore:
    """An artifact store that cannot write one key until it is mended."""

    def __init__(self, store: ArtifactStore, broken: str | BrokenStore) -> None:
        """`broken` is the key, or another view of the same store."""
        self._store, self._broken = store, broken

    @property
    def broken(self) -> str:
        return self._broken if isinstance(self._broken, str) else self._broken.broken

    def mend(self) -> None:
        self._broken = ""

    def put(self, key: str, data: bytes) -> str:
        if self.broken and key.endswith(self.broken):
            raise OutOfOrder(f"cannot write {key}")
        return self._store.put(key, data)

    def get(self, key: str, sha256: str | None = None) -> bytes:
        return self._store.get(key, sha256)

    def exists(self, key: str) -> bool:
        return self._store.exists(key)

    def list(self, prefix: str) -> list[str]:
        return self._store.list(prefix)

    def delete(self, prefix: str) -> int:
        return self._store.delete(prefix)


@dataclass
class Site:
    """A submitted run of `scenario`; `say` lets a person speak, `stop` stops what drives it."""

    scenario: Scenario
    wiring: Wiring
    artifacts: BrokenStore
    stop: Callable[[], None] = lambda: None

    def journal(self) -> Journal:
        journal = Journal(self.wiring.events, RUN)
        journal.refresh()
        return journal

    def say(self, *events: EventData) -> None:
        self.journal().append(*events, actor="person")

    def mend(self) -> None:
        self.artifacts.mend()


def build(scenario: Scenario, root: Path, stores: Stores, engine: str) -> Site:
    """Make the repository at `root`, and submit the run to `stores`."""
    commit, tree = repository(root, {PLAN: scenario.plan, **scenario.files})
    site = staged(scenario, root, stores)
    request = _request(scenario, commit, tree, engine)
    submit(site.wiring.events, site.artifacts, request, scenario.plan.encode())
    return site


def staged(scenario: Scenario, root: Path, stores: Stores) -> Site:
    """The repository at `root` with these stores, and the agents of the scenario."""
    project = open_project(root)
    artifacts = BrokenStore(stores.artifacts(), scenario.broken)
    wiring = replace(
        local(project, sandbox=False, models=lambda _: _nobody(), prices=ScriptedPrices()),
        events=stores.events(),
        artifacts=artifacts,
        lease=stores.lease(),
        clock=stores.clock,
    )
    site = Site(scenario, wiring, artifacts)
    script, lock = scenario.agents(site), threading.Lock()

    def sleep(seconds: float) -> None:
        with lock:
            stores.clock.sleep(seconds)

    site.wiring = replace(wiring, models=scripted(script, sleep))
    return site


def _nobody() -> Any:
    raise AssertionError("no agent was given yet")


def _request(scenario: Scenario, commit: str, tree: str, engine: str) -> Request:
    return Request(
        run_id=RUN,
        project="demo",
        plan_path=PLAN,
        plan_sha256=hashlib.sha256(scenario.plan.encode()).hexdigest(),
        base=commit,
        base_tree=tree,
        branch="main",
        author=AUTHOR,
        limits=RunLimits(
            cap=scenario.cap, slice=scenario.slice, attempts=scenario.attempts, backoff_s=0.0
        ),
        options=RunOptions(
            engine=engine,
            gates=scenario.gates,
            candidates=scenario.candidates,
            review=scenario.review,
            unit="task",
            sandbox=False,
        ),
        checks=tuple(CheckSpec(command) for command in scenario.checks),
        prepare=scenario.prepare,
        unit_checks=tuple(CheckSpec(command) for command in scenario.unit_checks),
        models={"": "scripted"},
    )


def repository(root: Path, files: dict[str, str]) -> tuple[str, str]:
    """One commit that has the same id wherever and whenever it is made."""
    repo = pygit2.init_repository(str(root), initial_head="main")
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        repo.index.add(name)
    repo.index.write()
    tree = repo.index.write_tree()
    who = pygit2.Signature(*AUTHOR, 1_700_000_000, 0)
    commit = repo.create_commit("refs/heads/main", who, who, "base", tree, [])
    return str(commit), str(tree)


class Played(NamedTuple):
    """What a scenario left: its last state, and every stream as types and data."""

    state: RunState
    story: dict[str, list[tuple[str, Any]]]


VARIES = frozenset(
    {
        *("placement", "engine", "holder", "generation", "duration_s", "duration_ms", "latency_ms"),
        "event_id",
    }
)


def played(site: Site) -> Played:
    """The streams come without what depends on place and time."""
    return Played(site.journal().state, story_of(site, "run/"))


def story_of(site: Site, prefix: str) -> dict[str, list[tuple[str, Any]]]:
    """The streams that begin with `prefix`, without what depends on place and time."""
    store = site.wiring.events
    return {
        stream: [(e.event_type, _same(e.data)) for e in store.read(stream) if not _of_the_place(e)]
        for stream in sorted(store.streams(prefix))
    }


def _of_the_place(event: Envelope) -> bool:
    """Which execution drives a run: that it was handed over, or ended before the run did.

    A process that dies here leaves nothing; of an execution somebody else can tell.
    """
    if event.event_type == "run_failed":
        return event.data["reason"].startswith("the execution ")
    return event.event_type == "run_resumed" and event.data.get("handover", False)


def _same(value: Any) -> Any:
    value = msgspec.to_builtins(value)
    if isinstance(value, dict):
        return {k: _same(v) for k, v in value.items() if k not in VARIES}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list):
        return [_same(v) for v in value]  # pyright: ignore[reportUnknownVariableType]
    return value
