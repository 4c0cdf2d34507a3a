"""`fanfold doctor`: what is missing or wrong here, and the command that mends it."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fanfold.bootstrap import no_sandbox_because, open_project, prices_of, require_key
from fanfold.cli.engines import AWS, NAMES
from fanfold.cli.finding import Finding
from fanfold.cli.network import network_findings
from fanfold.cli.output import say, say_json
from fanfold.errors import FanfoldError, InvalidRepository
from fanfold.settings import Settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from fanfold.bootstrap import Project

OLDEST_GIT = (2, 25)
EXAMPLES = """\
examples:
  fanfold doctor          exit code 0 when a run could start here, 1 when not
  fanfold doctor --engine aws
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine",
        choices=NAMES,
        help="look at this one (default: both, where [cloud] names a stack)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    found = list(_examine(Path(args.directory or "."), args.engine))
    healthy = all(f.ok or not f.required for f in found)
    if args.json:
        checks = [f._asdict() for f in found]
        say_json({"schema": "fanfold.doctor/1", "ok": healthy, "checks": checks})
    else:
        for finding in found:
            mark = "ok" if finding.ok else "MISSING" if finding.required else "advice"
            say(f"{mark:<7}  {finding.name}: {finding.detail}")
            if not finding.ok:
                say(f"         {finding.mend}")
    return 0 if healthy else 1


def _examine(directory: Path, engine: str | None) -> Iterator[Finding]:
    yield Finding("python", True, f"{platform.python_version()} at {sys.executable}")
    yield _git()
    problem = no_sandbox_because()
    yield Finding(
        "sandbox",
        problem is None,
        problem or "bubblewrap contains the commands of agents and checks",
        "mend that, or run with --no-sandbox on a machine that has nothing to lose",
    )
    try:
        project = open_project(directory)
    except InvalidRepository as error:
        yield Finding(
            "repository", False, str(error), "go to a repository with a commit, or -C DIR"
        )
        yield from _model(Settings())
    except FanfoldError as error:
        yield Finding("settings", False, str(error), "correct that line, or remove it")
    else:
        yield from _repository(project)
        if engine != AWS:
            yield from _model(project.settings)
        if engine == AWS or (engine is None and project.settings.cloud.stack):
            from fanfold.cli.doctor_cloud import examine_cloud

            yield from examine_cloud(project)


def _git() -> Finding:
    path = shutil.which("git")
    if path is None:
        return Finding("git", False, "no git on PATH", "install git")
    said = subprocess.run((path, "version"), capture_output=True, text=True, check=False)  # noqa: S603
    words = said.stdout.split()
    version = words[2] if len(words) > 2 else "unknown"
    numbers = tuple(int(n) for n in version.split(".")[:2] if n.isdigit())
    oldest = ".".join(map(str, OLDEST_GIT))
    return Finding("git", numbers >= OLDEST_GIT, version, f"install git {oldest} or newer")


def _repository(project: Project) -> Iterator[Finding]:
    head = project.repository.head()
    yield Finding(
        "repository",
        head.branch is not None,
        f"{project.root}, on {head.branch or 'no branch'}",
        "HEAD is detached: `git switch -c NAME`",
    )
    if head.operation:
        yield Finding(
            "operation", False, f"a {head.operation} is in progress", "finish or abort it"
        )
    if head.submodules:
        names = ", ".join(head.submodules)
        yield Finding("submodules", False, names, "submodules are not supported")
    yield from network_findings(project.settings)
    checks = project.settings.run_checks()
    yield Finding(
        "checks",
        bool(checks),
        ", ".join(c.command for c in checks) or "none: a result will be unverified",
        "`fanfold init` proposes some; or pass --check CMD to `fanfold run`",
        required=False,
    )


def _model(settings: Settings) -> Iterator[Finding]:
    if settings.model.scripted:
        yield Finding("model", True, "a script plays the agents")
        return
    yield _key(settings)
    names = {settings.model.name, *settings.model.roles.values()}
    for name in sorted(names):
        yield _price(settings, name)


def _key(settings: Settings) -> Finding:
    bedrock = settings.model.provider == "bedrock"
    try:
        require_key(settings)
    except FanfoldError as error:
        mend = "`aws sso login`, and AWS_REGION" if bedrock else "`export ANTHROPIC_API_KEY=…`"
        return Finding("key", False, str(error), mend)
    what = "AWS credentials are there" if bedrock else "the model API's key is set"
    return Finding("key", True, what)


def _price(settings: Settings, name: str) -> Finding:
    try:
        prices_of(settings).worst_case(name, 1, 1)
    except FanfoldError as error:
        return Finding("price", False, str(error), "name another model, or give it a price")
    return Finding("price", True, f"the price of {name} is known")
