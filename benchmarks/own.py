"""Our own loop on the benchmark's forty commands, played by a script in a workspace of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

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
from fanfold.ports import ModelReply, ModelRequest
from fanfold.run.attempt import AttemptLimits, Context, Exit, Purpose, TaskText, Usage
from fanfold.settings import environment

if TYPE_CHECKING:
    from fanfold.ports import Model, Workspace

MODEL = "claude-sonnet-5-5"


class Played(NamedTuple):
    """Seconds of the loop, what each call sent, and the characters of each reply."""

    seconds: float
    requests: list[ModelRequest]
    replies: list[int]


class Script:
    """Plays the commands by our tools for files, or by that for commands; the last turn submits."""

    def __init__(self, *, files: bool, together: int = 1) -> None:
        self.files, self.requests, self.replies = files, list[ModelRequest](), list[int]()
        looks = range(STEPS - 1)
        self.turns = [*(looks[i : i + together] for i in looks[::together]), [STEPS - 1]]

    def send(self, request: ModelRequest, *, timeout_s: float) -> ModelReply:  # noqa: ARG002
        turn = len(self.requests)
        self.requests.append(request)
        calls = [self._call(step) for step in self.turns[turn]]
        words = thought(self.turns[turn][0])
        self.replies.append(len(words) + sum(len(str(call["input"])) for call in calls))
        content = [{"type": "text", "text": words}, *calls]
        return ModelReply(f"m{turn}", content, "tool_use", Usage(1000, 100), MODEL)

    def _call(self, step: int) -> dict[str, Any]:
        name, given = "bash", {"command": command(step)}
        if step == STEPS - 1:
            name, given = "submit", {"status": "done", "summary": ""}
        elif self.files:
            lines = [step + 1, step + 40]
            name, given = "read", {"file_path": f"part{step % 8}.py", "view_range": lines}
        return {"type": "tool_use", "id": f"toolu_{step}", "name": name, "input": given}


def contains() -> bool:
    """Whether commands can be contained here."""
    return Bubblewrap(environment()).available() is None


def played(
    *, files: bool, together: int = 1, instructions: str = "", contained: bool = False
) -> Played:
    """One attempt to its end; exits where it does not end as it should."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_files(folder)
        for words in ("init -q", "add -A", "-c user.name=x -c user.email=x@y commit -qm base"):
            subprocess.run(["git", *words.split()], cwd=folder, check=True)
        repository = open_repository(folder)
        tree = repository.tree_of("HEAD")
        sandbox = Bubblewrap(environment()) if contained else NoSandbox(environment())
        workspaces = GitWorkspaces(repository, folder / ".home", sandbox)
        workspace = workspaces.open(tree, shell=True, name="x")
        workspace.run("true", 9)
        script = Script(files=files, together=together)
        context = attempt(tree, TASK, instructions)
        at = desk(folder, workspace, script)
        started = time.perf_counter()
        report = run_attempt(context, at)
        seconds = time.perf_counter() - started
        workspaces.close()
    if report.exit is not Exit.SUBMITTED or report.steps != len(script.turns):
        sys.exit(f"the attempt ended as {report.exit}: {report.detail}")
    return Played(seconds, script.requests, script.replies)


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
