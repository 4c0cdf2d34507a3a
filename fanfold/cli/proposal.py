"""What fanfold.toml could say, read off the Makefile, manifests, CI files and workflow.md."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from fanfold.cli import manifests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fanfold.cli.manifests import Step

TARGET = re.compile(r"^(test|check)\s*:(?!=)", re.MULTILINE)
RUNNERS = (
    r"pytest|tox|nox|python3? -m (?:pytest|unittest)|(?:uv|poetry|hatch|pdm) run|make|just"
    r"|(?:npm|pnpm|yarn|bun)(?: run)?|npx|go|cargo|mvn|\./mvnw|gradle|\./gradlew|bundle exec"
    r"|rake|mix|dotnet|swift|flutter|composer|php"
)
TEST_LINE = re.compile(
    rf"^[ \t]*(?:- )?(?:run: )?[\"'`]?((?:CI=\w+ )?(?:{RUNNERS})\b[^\n`$]*?)[\"'`]?[ \t]*$",
    re.MULTILINE,
)
CI_FILES = (".github/workflows/*.y*ml", ".gitlab-ci.yml", ".circleci/config.yml")
WORKFLOWS = ("conductor/workflow.md", "workflow.md")


class Proposal(msgspec.Struct):
    """Commands with what they were read off; the first check that is found leads."""

    prepare: list[str] = []
    network: list[str] = []
    checks: list[str] = []
    because: list[str] = []

    def toml(self) -> str:
        """The file, with what could not be found left for the user."""
        lines = ["# How fanfold runs plans in this repository: `fanfold run --help`, docs/guides."]
        if self.prepare:
            lines += ["", "[prepare]", f"commands = {_array(self.prepare)}"]
            lines += [f"network = {_array(self.network)}"] if self.network else []
        lines += ["", "[checks]"]
        lines.append(
            f"run = {_array(self.checks)}" if self.checks else '# run = ["your test command"]'
        )
        lines += [
            "",
            "[limits]",
            "# run_usd = 5.0      # the hard cap of a run; without it `run` wants --budget",
            "attempt_usd = 1.0",
            "concurrency = 8",
            "",
        ]
        return "\n".join(lines)


def propose(root: Path) -> Proposal:
    """Looks at what lies at the root of the repository; reads, runs nothing."""
    proposal = Proposal()
    for look in LOOKS:
        for step in look(root):
            _take(proposal, step)
    return proposal


def _take(proposal: Proposal, step: Step) -> None:
    """Everything that prepares, but one check: that of the source looked at first."""
    if step.prepare:
        proposal.prepare.append(step.prepare)
        known = ("", *proposal.network)
        proposal.network += [] if step.registry in known else [step.registry]
        proposal.because.append(f"{step.source}: prepare `{step.prepare}`")
    if step.check and not proposal.checks:
        proposal.checks.append(step.check)
        proposal.because.append(f"{step.source}: check `{step.check}`")


def _makefile(root: Path) -> Iterator[Step]:
    targets = set(TARGET.findall(manifests.text(root / "Makefile")))
    for target in sorted(targets, reverse=True):
        yield manifests.Step(f"the target {target!r} of Makefile", check=f"make {target}")


def _mentions(root: Path) -> Iterator[Step]:
    """The first line of a CI file, else of workflow.md, that runs tests."""
    for pattern in (*CI_FILES, *WORKFLOWS):
        for file in sorted(root.glob(pattern)):
            lines = TEST_LINE.findall(manifests.text(file))
            found = next((line for line in lines if re.search(r"test|tox|nox", line)), None)
            if found:
                yield manifests.Step(file.relative_to(root).as_posix(), check=found)


LOOKS: tuple[Callable[[Path], Iterator[Step]], ...] = (
    _makefile,
    manifests.python,
    manifests.node,
    manifests.go,
    manifests.rust,
    manifests.java,
    _mentions,
)


def _array(items: list[str]) -> str:
    return "[" + ", ".join(msgspec.json.encode(i).decode() for i in items) + "]"
