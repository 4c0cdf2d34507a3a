"""What fanfold.toml could say, read off the Makefile, manifests, CI files and workflow.md."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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
INSTALLS = {
    "package-lock.json": "npm ci",
    "pnpm-lock.yaml": "pnpm install --frozen-lockfile",
    "yarn.lock": "yarn install --immutable",
}


class Proposal(msgspec.Struct):
    """Commands with what they were read off; the first check that is found leads."""

    prepare: list[str] = []
    checks: list[str] = []
    because: list[str] = []

    def toml(self) -> str:
        """The file, with what could not be found left for the user."""
        lines = ["# How fanfold runs plans in this repository: `fanfold run --help`, docs/guides."]
        if self.prepare:
            lines += [
                "",
                "[prepare]",
                f"commands = {_array(self.prepare)}",
            ]
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


class _Package(msgspec.Struct):
    scripts: dict[str, str] = {}


def propose(root: Path) -> Proposal:
    """Looks at what lies at the root of the repository; reads, runs nothing."""
    proposal = Proposal()
    for look in LOOKS:
        look(root, proposal)
    return proposal


def _makefile(root: Path, proposal: Proposal) -> None:
    text = _text(root / "Makefile")
    for target in dict.fromkeys(TARGET.findall(text)):
        _check(proposal, f"make {target}", f"the target {target!r} of Makefile")


def _python(root: Path, proposal: Proposal) -> None:
    manifest = _toml(root / "pyproject.toml")
    if not manifest:
        return
    text = _text(root / "pyproject.toml")
    if (root / "uv.lock").exists():
        _prepare(proposal, "uv sync --frozen", "uv.lock")
        run = "uv run --frozen --offline "
    elif (root / "poetry.lock").exists():
        _prepare(proposal, "poetry install", "poetry.lock")
        run = "poetry run "
    else:
        run = ""
    if "pytest" in text:
        _check(proposal, f"{run}pytest -q", "pytest in pyproject.toml")


def _node(root: Path, proposal: Proposal) -> None:
    scripts = _scripts(root / "package.json")
    for lock, command in INSTALLS.items():
        if (root / lock).exists():
            _prepare(proposal, command, lock)
            break
    script = scripts.get("test", "")
    if script and "no test specified" not in script:
        manager = "pnpm" if (root / "pnpm-lock.yaml").exists() else "npm"
        _check(proposal, f"CI=true {manager} test", "the test script of package.json")


def _others(root: Path, proposal: Proposal) -> None:
    for manifest, prepare, check in (
        ("go.mod", "go mod download", "go test ./..."),
        ("Cargo.toml", "cargo fetch", "cargo test --offline"),
        ("pom.xml", "mvn -q dependency:go-offline", "mvn -q -o test"),
    ):
        if (root / manifest).exists():
            _prepare(proposal, prepare, manifest)
            _check(proposal, check, manifest)


def _mentions(root: Path, proposal: Proposal) -> None:
    """The first line of a CI file, else of workflow.md, that runs tests."""
    for pattern in (*CI_FILES, *WORKFLOWS):
        for file in sorted(root.glob(pattern)):
            lines = TEST_LINE.findall(_text(file))
            found = next((line for line in lines if re.search(r"test|tox|nox", line)), None)
            if found:
                _check(proposal, found, file.relative_to(root).as_posix())


LOOKS: tuple[Callable[[Path, Proposal], None], ...] = (
    _makefile,
    _python,
    _node,
    _others,
    _mentions,
)


def _check(proposal: Proposal, command: str, source: str) -> None:
    """One check is proposed: that of the source looked at first."""
    if not proposal.checks:
        proposal.checks.append(command)
        proposal.because.append(f"{source}: check `{command}`")


def _prepare(proposal: Proposal, command: str, source: str) -> None:
    proposal.prepare.append(command)
    proposal.because.append(f"{source}: prepare `{command}`")


def _array(items: list[str]) -> str:
    return "[" + ", ".join(msgspec.json.encode(i).decode() for i in items) + "]"


def _text(file: Path) -> str:
    return file.read_text("utf-8", "replace") if file.is_file() else ""


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(file))
    except tomllib.TOMLDecodeError:
        return {}


def _scripts(file: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode(_text(file) or "{}", type=_Package).scripts
    except msgspec.MsgspecError:
        return {}
