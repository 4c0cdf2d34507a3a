"""`fanfold demo`: the main job on a repository made for it, played by a scripted model."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fanfold.adapters.local.scripted_model import ScriptedPrices, scripted
from fanfold.bootstrap import no_sandbox_because, open_project
from fanfold.cli.demo.agents import agents
from fanfold.cli.demo.repository import CHECK, FILES, PLAN
from fanfold.cli.drive import drive
from fanfold.cli.main import command_parser
from fanfold.cli.output import say, tell
from fanfold.cli.plans import read_plan
from fanfold.cli.request import build_request
from fanfold.cli.status import describe
from fanfold.errors import UserError
from fanfold.run.events import ApprovalGranted
from fanfold.run.state import Outcome, UnitStatus
from fanfold.run.view import exit_code, outcome_of, run_view
from fanfold.settings import Model
from fanfold.steps.journal import Journal
from fanfold.steps.request import submit

if TYPE_CHECKING:
    import argparse

    from fanfold.bootstrap import Project
    from fanfold.run.state import RunState

BUDGET = 5_000_000
EXAMPLES = """\
examples:
  fanfold demo              in a new folder below the system's temporary folder
  fanfold demo ~/look       in a folder of your choice
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", metavar="FOLDER", help="where; must not exist yet")


def run(args: argparse.Namespace) -> int:
    root = _make_repository(args.directory, args.folder)
    project = _with_scripted_model(open_project(root))
    tell(f"a small repository and its plan are in {root}")
    tell(
        "four tasks, a conflict, a bug and a gate; a scripted model plays the agents, at no cost\n"
    )
    run_id = _submit(project)
    state = _drive(project, run_id, resumed=False)
    while outcome_of(state) is Outcome.WAITING:
        state = _answer(project, run_id, state)
    _tell_where_to_look(root, state)
    return exit_code(state)


def _with_scripted_model(project: Project) -> Project:
    """The project with the scripted model in place of the configured one."""
    settings = msgspec.structs.replace(project.settings, model=Model(provider="scripted"))
    return replace(project, settings=settings)


def _make_repository(start: str | None, folder: str | None) -> Path:
    if folder is None:
        root = Path(tempfile.mkdtemp(prefix="fanfold-demo-"))
    else:
        root = (Path(start or ".") / folder).resolve()
        if root.exists():
            raise UserError(f"{folder} is there already; name a folder that is not")
        root.mkdir(parents=True)
    for name, text in FILES.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    for words in (
        ("init", "-q", "-b", "main"),
        ("config", "user.name", "fanfold demo"),
        ("config", "user.email", "demo@localhost"),
        ("config", "commit.gpgsign", "false"),
        ("add", "-A"),
        ("commit", "-q", "--no-verify", "-m", "Start textkit, with a plan for its first tools"),
    ):
        subprocess.run(("git", *words), cwd=root, check=True, capture_output=True)  # noqa: S603, S607
    return root


def _submit(project: Project) -> str:
    words = [PLAN, "--unit", "task", "--check", CHECK, "--yes"]
    problem = no_sandbox_because()
    if problem:
        tell(f"{problem}; the demo's own commands are harmless and run without a sandbox")
        words.append("--no-sandbox")
    args = command_parser("run").parse_args(words)
    plan = read_plan(project, PLAN)
    project.prepare()
    request = build_request(project, plan, args, BUDGET)
    submit(project.events, project.artifacts, request, plan.data)
    return request.run_id


def _drive(project: Project, run_id: str, *, resumed: bool) -> RunState:
    return drive(
        project, run_id, resumed=resumed, models=scripted(agents()), prices=ScriptedPrices()
    )


def _answer(project: Project, run_id: str, state: RunState) -> RunState:
    gate = next(u.spec for u in state.units.values() if u.status is UnitStatus.WAITING)
    asked = state.gates[gate.id]
    tell(f"\nthe plan has a gate here, {gate.id}: {gate.title}")
    tell(f"a person would look at `git diff {asked.from_tree[:7]} {asked.tree[:7]}` now, then type")
    tell(f"`fanfold approve {run_id} {gate.id}` and `fanfold resume {run_id}`; the demo says yes\n")
    journal = Journal(project.events, run_id)
    journal.refresh()
    journal.append(ApprovalGranted(gate.id, by="demo"), actor="demo")
    return _drive(project, run_id, resumed=True)


def _tell_where_to_look(root: Path, state: RunState) -> None:
    say("")
    say(describe(run_view(state)))
    branch = state.written.branch if state.written else ""
    say(
        f"""
look at it:
  cd {root}
  git log --oneline --stat main..{branch}
  git show {branch}:{PLAN}
  fanfold show                 the report; `fanfold show {state.run_id} 1.3` for the repaired task
  fanfold cost --by role
  fanfold apply                bring the result into main

in your own repository, with a plan of yours:
  fanfold plan                 what would run, in which order, for how much
  fanfold run --budget 5 --check "your test command"
"""
    )
