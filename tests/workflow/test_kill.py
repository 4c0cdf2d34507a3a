"""A run that is killed at any append, resumed, ends as one that nobody disturbed."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest

from fanfold.adapters.local.scripted_model import ScriptedPrices, scripted
from fanfold.bootstrap import holder, local, open_project
from fanfold.cli.demo.agents import agents
from fanfold.cli.demo.repository import FILES, PLAN
from fanfold.cli.main import command_parser
from fanfold.cli.plans import read_plan
from fanfold.cli.request import build_request
from fanfold.engine import LocalEngine
from fanfold.run.attempt import Exit
from fanfold.run.events import ApprovalGranted, EventData, attempt_stream, run_stream
from fanfold.run.state import Outcome, UnitStatus
from fanfold.run.view import outcome_of
from fanfold.settings import Model
from fanfold.steps.journal import Journal
from fanfold.steps.request import submit
from tests.fakes.projects import make_repository

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fanfold.bootstrap import Project
    from fanfold.ports import EventStore
    from fanfold.run.events import Envelope

MODES = ("before", "torn")
SHARES = 8
# A check that is red while wrap() still breaks words, without starting a Python.
CHECK = "! grep -q 'text.at : at' textkit/wrap.py 2>/dev/null"


class Ending(NamedTuple):
    """What two runs must agree on; `paid` is the money of the attempts that were not lost."""

    outcome: Outcome | None
    tree: str
    states: tuple[tuple[str, UnitStatus], ...]
    paid: int


class KillingStore:
    """Kills this process, as `kill -9` does, at the append with the given number."""

    def __init__(self, store: EventStore, folder: Path, at: int, mode: str) -> None:
        self._store, self._folder, self._at, self._mode = store, folder, at, mode
        self._lock = threading.Lock()
        self._count = 0

    def append(
        self, stream: str, expected: int, events: Sequence[EventData], *, actor: str = "fanfold"
    ) -> list[Envelope]:
        with self._lock:
            self._count += 1
            due = self._count == self._at
            if due and self._mode == "torn":
                with self._log(stream).open("ab") as log:
                    log.write(b'{"event_id": "0", "event_type": "run_')
            if due:
                os.kill(os.getpid(), signal.SIGKILL)
            return self._store.append(stream, expected, events, actor=actor)

    def _log(self, stream: str) -> Path:
        run, _, attempt = stream.removeprefix("run/").partition("/attempt/")
        if not attempt:
            return self._folder / "events" / "events.jsonl"
        folder = self._folder / "runs" / run / "attempts" / attempt
        folder.mkdir(parents=True, exist_ok=True)
        return folder / "events.jsonl"

    def read(self, stream: str, after: int = 0) -> list[Envelope]:
        return self._store.read(stream, after)

    def streams(self, prefix: str = "") -> list[str]:
        return self._store.streams(prefix)


def _project(root: Path) -> Project:
    project = open_project(root)
    settings = msgspec.structs.replace(project.settings, model=Model(provider="scripted"))
    return replace(project, settings=settings)


def _request(root: Path) -> str:
    make_repository(root, FILES)
    project = _project(root)
    project.prepare()
    words = [PLAN, "--unit", "task", "--check", CHECK, "--no-sandbox"]
    plan = read_plan(project, PLAN)
    request = build_request(project, plan, command_parser("run").parse_args(words), 5_000_000)
    submit(project.events, project.artifacts, request, plan.data)
    return request.run_id


def _play(root: Path, run_id: str, at: int, mode: str) -> None:
    """Drive the run to its end, approving its gate, unless the store kills the process first."""
    project = _project(root)
    store = KillingStore(project.events, project.workspace_dir, at, mode)
    while True:
        wiring = local(
            project,
            sandbox=False,
            events=store,
            models=scripted(agents(), sleep=lambda _: None),
            prices=ScriptedPrices(),
        )
        state = LocalEngine(wiring, holder()).resume(run_id)
        if outcome_of(state) is not Outcome.WAITING:
            return
        journal = Journal(store, run_id)
        journal.refresh()
        journal.append(ApprovalGranted("1.4", by="test"), actor="test")


def _in_child(root: Path, run_id: str, at: int, mode: str) -> bool:
    """Whether the run came to its end in a process of its own."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _play(root, run_id, at, mode)
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return not os.WIFSIGNALED(status)


def _ending(root: Path, run_id: str) -> Ending:
    state = Journal(open_project(root).events, run_id).refresh()
    tries = [t for u in state.units.values() for t in u.tries]
    assert state.spent == sum(t.cost for t in tries)
    assert state.reserved == 0
    return Ending(
        state.outcome,
        state.tree,
        tuple((u.spec.id, u.status) for u in state.units.values()),
        sum(t.cost for t in tries if t.outcome is not Exit.LOST),
    )


def _assert_gapless(root: Path, run_id: str) -> None:
    store = open_project(root).events
    for stream in [run_stream(run_id), *store.streams(attempt_stream(run_id, ""))]:
        versions = Counter(e.version for e in store.read(stream))
        assert list(versions) == list(range(1, len(versions) + 1))
        assert set(versions.values()) <= {1}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("share", range(SHARES))
def test_a_killed_run_ends_as_an_undisturbed_one(tmp_path: Path, share: int, mode: str) -> None:
    run_id = _request(tmp_path / "whole")
    assert _in_child(tmp_path / "whole", run_id, at=0, mode=mode)
    expected = _ending(tmp_path / "whole", run_id)
    assert expected.outcome is Outcome.COMPLETED

    at = share + 1
    survived = False
    while not survived:
        root = tmp_path / f"killed-{at}"
        run_id = _request(root)
        survived = _in_child(root, run_id, at, mode)
        if not survived:
            assert _in_child(root, run_id, at=0, mode=mode)
        assert _ending(root, run_id) == expected
        _assert_gapless(root, run_id)
        at += SHARES
    assert at > 2 * SHARES
