"""What each language's manifests and lockfiles say about preparing and testing a repository."""

from __future__ import annotations

import re
import shlex
import tomllib
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

NODE_INSTALLS = {
    "package-lock.json": ("npm", "npm ci"),
    "npm-shrinkwrap.json": ("npm", "npm ci"),
    "pnpm-lock.yaml": ("pnpm", "pnpm install --frozen-lockfile"),
    "yarn.lock": ("yarn", "yarn install --immutable"),
    "bun.lock": ("bun", "bun install --frozen-lockfile"),
    "bun.lockb": ("bun", "bun install --frozen-lockfile"),
}
REQUIREMENTS = re.compile(r"^(?:requirements(?:[-_/]?(?:dev|test|tests))?|dev-requirements)\.txt$")
TESTING = (re.compile(r"tests?|testing", re.IGNORECASE), re.compile(r"dev|develop", re.IGNORECASE))
PYTEST = re.compile(r"^\s*pytest(?![\w-])", re.IGNORECASE)
INSTALL = ".venv/bin/python -m pip install"


class Step(NamedTuple):
    """A command that prepares or checks, and what says so; preparing fetches from `registry`."""

    source: str
    prepare: str = ""
    check: str = ""
    registry: str = ""


class _Package(msgspec.Struct):
    scripts: dict[str, str] = {}
    dependencies: dict[str, str] = {}
    dev_dependencies: dict[str, str] = msgspec.field(default={}, name="devDependencies")


def python(root: Path) -> Iterator[Step]:
    """By uv or poetry where their lockfile lies there, else by pip into `.venv`."""
    manifest = _toml(root / "pyproject.toml")
    groups = _groups(manifest)
    tested = [name for name, needs in groups.items() if any(map(PYTEST.match, needs))]
    tested = _testing(tested) or tested
    if (root / "uv.lock").exists():
        wanted = "".join(f" --group {name}" for name in tested if name != "dev")
        extra = "".join(f" --extra {name}" for name in _testing(_extras(manifest)))
        yield Step("uv.lock", f"uv sync --frozen{wanted}{'' if tested else extra}", "", "pypi")
    elif (root / "poetry.lock").exists():
        yield Step("poetry.lock", "POETRY_VIRTUALENVS_IN_PROJECT=1 poetry install", "", "pypi")
    else:
        yield from _by_pip(root, manifest, groups)
    if _uses_pytest(root):
        yield Step("its tests", check="python -m pytest -q")


def _by_pip(root: Path, manifest: dict[str, Any], groups: dict[str, list[str]]) -> Iterator[Step]:
    files = [p for p in ("pyproject.toml", "setup.py", "setup.cfg") if (root / p).exists()]
    listed = [p.name for p in sorted(root.glob("*.txt")) if REQUIREMENTS.match(p.name)]
    if not files and not listed:
        return
    words = [word for name in listed for word in ("-r", name)]
    if manifest.get("build-system") or "setup.py" in files:
        extras = ",".join(_testing(_extras(manifest)))
        words += ["-e", f".[{extras}]" if extras else "."]
    words += [need for name in _testing(groups) for need in groups[name]]
    if not words:
        return
    if _uses_pytest(root) and not any(map(PYTEST.match, words)):
        words.append("pytest")
    source = files[0] if files else listed[0]
    yield Step(source, "python3 -m venv .venv", registry="pypi")
    yield Step(source, f"{INSTALL} -q {shlex.join(words)}", registry="pypi")


def _uses_pytest(root: Path) -> bool:
    settings = ("pyproject.toml", "setup.cfg", "tox.ini", "pytest.ini")
    if any("pytest" in text(root / name) for name in settings):
        return True
    folders = [root / name for name in ("tests", "test", "testing")]
    return any(
        "pytest" in text(file) for folder in folders for file in sorted(folder.glob("*.py"))[:20]
    )


def _testing(names: Iterable[str]) -> list[str]:
    """Those that say they are for tests; else those for development."""
    found = ([n for n in names if pattern.fullmatch(n)] for pattern in TESTING)
    return next(filter(None, found), list[str]())


def _extras(manifest: dict[str, Any]) -> dict[str, Any]:
    return manifest.get("project", {}).get("optional-dependencies", {})


def _groups(manifest: dict[str, Any]) -> dict[str, list[str]]:
    """The dependency groups of PEP 735, with those that they include."""
    raw = cast("dict[str, list[Any]]", manifest.get("dependency-groups", {}))

    def needs(name: str, seen: tuple[str, ...] = ()) -> list[str]:
        found: list[str] = []
        for item in raw.get(name, []):
            if isinstance(item, str):
                found.append(item)
            elif (other := str(item.get("include-group", ""))) and other not in seen:
                found += needs(other, (*seen, name))
        return found

    return {name: needs(name) for name in raw}


def node(root: Path) -> Iterator[Step]:
    """By the package manager whose lockfile lies there."""
    package = _package(root / "package.json")
    found = next((lock for lock in NODE_INSTALLS if (root / lock).exists()), None)
    manager = "npm"
    if found:
        manager, install = NODE_INSTALLS[found]
        yield Step(found, install, registry="npm")
    elif package.dependencies or package.dev_dependencies:
        yield Step("package.json", "npm install --no-package-lock", registry="npm")
    script = package.scripts.get("test", "")
    if script and "no test specified" not in script:
        yield Step("the test script of package.json", check=f"CI=true {manager} test")


def go(root: Path) -> Iterator[Step]:
    manifest = text(root / "go.mod")
    if not manifest:
        return
    needs = re.search(r"^\s*require\b", manifest, re.MULTILINE)
    vendored = (root / "vendor" / "modules.txt").exists()
    # What is compiled once is found by every `go test` after it.
    compiled = "go test -run '^$' ./..."
    if needs and not vendored:
        yield Step("go.mod", f"go mod download && {compiled}", "go test ./...", "go")
    else:
        yield Step("go.mod", compiled, "go test ./...")


def rust(root: Path) -> Iterator[Step]:
    if (root / "Cargo.toml").exists():
        locked = " --locked" if (root / "Cargo.lock").exists() else ""
        yield Step("Cargo.toml", f"cargo test --no-run{locked}", "cargo test --offline", "crates")


def java(root: Path) -> Iterator[Step]:
    """Maven fetches some of what tests need only when they run: so they run once in preparing."""
    if (root / "pom.xml").exists():
        maven = "./mvnw" if (root / "mvnw").exists() else "mvn"
        prepare = f"{maven} -q -B -Dmaven.test.failure.ignore=true test"
        yield Step("pom.xml", prepare, f"{maven} -q -B -o test", "maven")
    for manifest in ("build.gradle", "build.gradle.kts"):
        if (root / manifest).exists():
            gradle = "./gradlew" if (root / "gradlew").exists() else "gradle"
            prepare = f"{gradle} --no-daemon testClasses"
            yield Step(manifest, prepare, f"{gradle} --no-daemon --offline test", "maven")
            return


def text(file: Path) -> str:
    """The file's text, nothing where there is none."""
    return file.read_text("utf-8", "replace") if file.is_file() else ""


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text(file))
    except tomllib.TOMLDecodeError:
        return {}


def _package(file: Path) -> _Package:
    try:
        return msgspec.json.decode(text(file) or "{}", type=_Package)
    except msgspec.MsgspecError:
        return _Package()
