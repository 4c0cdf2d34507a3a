"""Our own loop on scripted actions, in a workspace of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forty import unpack
from rival import STEPS, TASK, command, make_files, thought

from fanfold.adapters.claude.prices import ModelPrices
from fanfold.adapters.git.repository import open_repository
from fanfold.adapters.git.workspaces import GitWorkspaces
from fanfold.adapters.local.artifact_store import FileArtifactStore
from fanfold.adapters.local.clock import SystemClock
from fanfold.adapters.local.event_store import JsonlEventStore
from fanfold.adapters.local.sandbox import Bubblewrap, NoSandbox
from fanfold.adapters.local.secrets import Secrets
from fanfold.agent.attempt import run_attempt
from fanfold.agent.desk import Desk
from fanfold.agent.log import AttemptLog
from fanfold.ports import ModelReply
from fanfold.run.attempt import AttemptLimits, Context, Exit, Purpose, TaskText, Usage
from fanfold.settings import environment

if TYPE_CHECKING:
    from fanfold.ports import Model, ModelRequest, Workspace

MODEL = "claude-sonnet-5-5"


class Script:
    """Plays turns of calls without a model."""

    def __init__(self, turns: list[list[dict[str, Any]]]) -> None:
        self.turns, self._played = turns, 0

    def send(self, request: ModelRequest, *, timeout_s: float) -> ModelReply:  # noqa: ARG002
        turn, self._played = self._played, self._played + 1
        calls = [
            {"type": "tool_use", "id": f"toolu_{turn}_{n}", **call}
            for n, call in enumerate(self.turns[turn])
        ]
        content = [{"type": "text", "text": thought(turn)}, *calls]
        return ModelReply(f"m{turn}", content, "tool_use", Usage(1000, 100), MODEL)


def looks(*, files: bool) -> list[list[dict[str, Any]]]:
    """The forty looks by our tools for files, or by that for commands."""
    return [[_look(step, files=files)] for step in range(STEPS)]


def _look(step: int, *, files: bool) -> dict[str, Any]:
    if step == STEPS - 1:
        return {"name": "submit", "input": {"status": "done", "summary": ""}}
    if not files:
        return {"name": "bash", "input": {"command": command(step)}}
    given = {"file_path": f"part{step % 8}.py", "view_range": [step + 1, step + 40]}
    return {"name": "read", "input": given}


def contains() -> bool:
    """Whether commands can be contained here."""
    return Bubblewrap(environment()).available() is None


def played(
    turns: list[list[dict[str, Any]]], source: Path | None = None, *, contained: bool = False
) -> float:
    """Seconds of one attempt, in the files to look at or in a package; exits where it fails."""
    with tempfile.TemporaryDirectory() as name:
        place = unpack(source, Path(name)) if source else _looked_at(Path(name) / "parts")
        repository = open_repository(place)
        tree = repository.tree_of("HEAD")
        environ = {**environment(), "PATH": tools_path()}
        sandbox = Bubblewrap(environ) if contained else NoSandbox(environ)
        workspaces = GitWorkspaces(repository, Path(name) / "home", sandbox)
        workspace = workspaces.open(tree, shell=True, name="x")
        workspace.run("true", 9)
        at = desk(Path(name) / "log", workspace, Script(turns))
        started = time.perf_counter()
        report = run_attempt(attempt(tree, TASK), at)
        seconds = time.perf_counter() - started
        workspaces.close()
    if report.exit is not Exit.SUBMITTED or report.steps != len(turns):
        sys.exit(f"the attempt ended as {report.exit}: {report.detail}")
    return seconds


def tools_path() -> str:
    """Where commands find this environment's Python, with pytest, before all else."""
    return os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()])


def _looked_at(folder: Path) -> Path:
    folder.mkdir()
    make_files(folder)
    for words in ("init -q", "add -A", "-c user.name=x -c user.email=x@y commit -qm base"):
        subprocess.run(["git", *words.split()], cwd=folder, check=True)
    return folder


def attempt(tree: str, task: str, instructions: str = "") -> Context:
    """An attempt at `task` by commands and files."""
    return Context(
        run_id="r",
        attempt="a.1",
        unit="a",
        role="implementer",
        purpose=Purpose.WORK,
        base_tree=tree,
        tasks=(TaskText("a", task.partition("\n")[0], task),),
        limits=AttemptLimits(10_000_000),
        model=MODEL,
        instructions=(("AGENTS.md", instructions),) if instructions else (),
        shell=True,
    )


def desk(folder: Path, workspace: Workspace, model: Model) -> Desk:
    """What `model` works with, its events below `folder`."""
    clock = SystemClock()
    lines: list[Any] = []
    store = JsonlEventStore(folder / ".ws", "x", clock, FileArtifactStore(folder / ".ws"))
    return Desk(
        events=AttemptLog(store, "run/r/attempt/a.1"),
        workspace=workspace,
        model=model,
        prices=ModelPrices({}),
        clock=clock,
        secrets=Secrets(),
        keep_going=lambda: None,
        transcript=lines.append,
    )
