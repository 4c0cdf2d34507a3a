"""A batch that is killed at any append, resumed, ends as one that nobody disturbed."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from fanfold.batch_engine import BatchEngine
from fanfold.bootstrap import holder, local, open_project
from fanfold.cli import batches
from fanfold.cli.main import command_parser
from fanfold.run.state import Outcome
from fanfold.steps.batch_report import view_of
from fanfold.steps.batch_request import submit_batch
from fanfold.steps.journal import BatchJournal
from tests.fakes.batches import all_letters, tracks_repository
from tests.fakes.projects import git
from tests.fakes.tracks import play

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fanfold.ports import EventStore
    from fanfold.run.events import Envelope, EventData

NEEDS = {"third": ["first", "second"]}
STEP = 12
WORDS = ["--all-open", "--check", "true", "--no-sandbox", "--budget", "9"]


class KillingStore:
    """Kills this process, as `kill -9` does, before the append with the given number."""

    def __init__(self, store: EventStore, at: int) -> None:
        self._store, self._at = store, at
        self._lock = threading.Lock()
        self._count = 0

    def append(
        self, stream: str, expected: int, events: Sequence[EventData], *, actor: str = "fanfold"
    ) -> list[Envelope]:
        with self._lock:
            self._count += 1
            if self._count == self._at:
                os.kill(os.getpid(), signal.SIGKILL)
        return self._store.append(stream, expected, events, actor=actor)

    def read(self, stream: str, after: int = 0) -> list[Envelope]:
        return self._store.read(stream, after)

    def streams(self, prefix: str = "") -> list[str]:
        return self._store.streams(prefix)


def _asked(root: Path) -> str:
    project = open_project(tracks_repository(root, needs=NEEDS))
    project.prepare()
    args = command_parser("run").parse_args([*WORDS, "-C", str(root)])
    chosen = batches.choose(project, args)
    batch = batches.batch_of(project, chosen, args, 9_000_000)
    plans = {each.id: each.plan.data for each in chosen}
    submit_batch(project.events, project.artifacts, batch, plans)
    return batch.asked.batch_id


def _survives(root: Path, batch_id: str, at: int) -> bool:
    """Whether the batch came to its end in a process of its own."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            project = open_project(root)
            store = KillingStore(project.events, at)
            BatchEngine(local(project, sandbox=False, events=store), holder()).resume(batch_id)
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return not os.WIFSIGNALED(status)


def _ending(root: Path, batch_id: str) -> tuple[object, ...]:
    project = open_project(root)
    state = BatchJournal(project.events, batch_id).refresh()
    assert state.available >= 0
    view = view_of(state, project.events, project.artifacts)
    tracks = [(t["id"], t["state"]) for t in view["tracks"]]
    listing = git(root, "ls-tree", "-r", view["branch"]).splitlines()
    files = [line for line in listing if line.endswith((".txt", "README.md"))]
    listed = git(root, "show", f"{view['branch']}:conductor/tracks.md")
    return state.outcome, view["verified"], tracks, files, listed


@pytest.mark.parametrize("share", range(2))
def test_a_killed_batch_ends_as_an_undisturbed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: int
) -> None:
    play(monkeypatch, tmp_path, *all_letters())
    whole = _asked(tmp_path / "whole")
    assert _survives(tmp_path / "whole", whole, at=0)
    expected = _ending(tmp_path / "whole", whole)
    assert expected[0] is Outcome.COMPLETED

    at, survived = 1 + share * STEP // 2, False
    while not survived:
        root = tmp_path / f"killed-{at}"
        batch_id = _asked(root)
        survived = _survives(root, batch_id, at)
        if not survived:
            assert _survives(root, batch_id, at=0)
        assert _ending(root, batch_id) == expected
        at += STEP
    assert at > 4 * STEP
