"""Small packages from PyPI and npm: init, prepare, and their own tests, which run without network.

What fetches them are the machine's own clients, from the registries these are set to.
"""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from fanfold.adapters.local.registries import KINDS
from fanfold.bootstrap import no_sandbox_because
from fanfold.settings import environment
from tests.fakes.projects import PLAN, fanfold, git
from tests.fakes.tracks import play

if TYPE_CHECKING:
    from collections.abc import Callable

UV = next(iter(sorted(Path(".uv").glob("*/bin/uv"))), None) or shutil.which("uv")
TASKS = "# Plan\n\n## Phase 1: One\n\n- [ ] Task: Write a file\n"
SUBMIT = {"name": "submit", "input": {"status": "done", "summary": "Ran the tests."}}


def reachable(kind: str) -> bool:
    """Whether the registry that the clients here are set to answers."""
    url = urlsplit(KINDS[kind].address(environment()) or f"https://{KINDS[kind].hosts[0]}")
    if not url.hostname:
        return False
    try:
        socket.create_connection((url.hostname, url.port or 443), 3).close()
    except OSError:
        return False
    return True


def from_pypi(folder: Path, name: str) -> None:
    where = ("--no-deps", "--no-binary", ":all:", "-d", str(folder))
    subprocess.run(["python3", "-m", "pip", "download", "-q", *where, name], check=True)


def from_npm(folder: Path, name: str) -> None:
    words = ["npm", "pack", "--silent", name]
    subprocess.run(words, check=True, cwd=folder, stdout=subprocess.DEVNULL)


def unpacked(folder: Path, fetch: Callable[[Path, str], None], name: str) -> Path:
    """The package's files in a folder of their own."""
    archives = folder / "archives"
    archives.mkdir()
    fetch(archives, name)
    archive = next(archives.glob("*.t*gz"))
    files = folder / "unpacked"
    files.mkdir()
    subprocess.run(["tar", "-xzf", archive, "-C", files, "--no-same-owner"], check=True)
    return next(files.iterdir())


@pytest.mark.network
@pytest.mark.skipif(no_sandbox_because() is not None, reason=no_sandbox_because() or "")
@pytest.mark.parametrize(
    ("kind", "name", "without", "prepare"),
    [
        ("pypi", "markupsafe==3.0.2", "", ".venv/bin/python -m pip install"),
        ("pypi", "typing-inspection==0.4.2", "", "uv sync --frozen --group tests"),
        ("npm", "concat-map@0.0.1", "", "npm install --no-package-lock"),
        ("npm", "isarray@1.0.0", "Makefile", "npm install --no-package-lock"),
    ],
)
def test_the_tests_of_a_package_run_without_network(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    name: str,
    without: str,
    prepare: str,
) -> None:
    if not reachable(kind):
        pytest.skip(f"the registry of {kind} does not answer")
    tool = "npm" if kind == "npm" else "uv" if "uv " in prepare else "python3"
    if UV:
        monkeypatch.setenv("PATH", f"{Path(UV).resolve().parent}:{environment()['PATH']}")
    if shutil.which(tool) is None:
        pytest.skip(f"no {tool}")
    root = unpacked(tmp_path, from_npm if kind == "npm" else from_pypi, name)
    if without:
        (root / without).unlink()
    proposed = commit(root)
    assert prepare in str(proposed["proposal"])
    assert f'network = ["{kind}"]' in str(proposed["proposal"])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    check = check_of(root)
    command = f"{check} >ran.txt 2>&1; echo code $? >>ran.txt"
    turns = [
        {"calls": [call]} for call in ({"name": "bash", "input": {"command": command}}, SUBMIT)
    ]
    play(monkeypatch, tmp_path, {"task": "*", "turns": turns})
    ended = fanfold(root, "run", PLAN, "--budget", "1", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["verified"]
    assert ended.json["checks"][0]["ok"]
    ran = git(root, "show", f"{ended.json['branch']}:ran.txt")
    assert ran.endswith("code 0")
    assert any(word in ran for word in ("passed", "# pass", "# ok")), ran
    changed = git(root, "diff", "--name-only", "HEAD", ended.json["branch"]).splitlines()
    assert sorted(changed) == sorted([PLAN, "ran.txt"])
    assert len(list((tmp_path / "cache/fanfold/layers").glob("*/files"))) == 1


def commit(root: Path) -> dict[str, object]:
    """Make a repository of the package, with what `fanfold init` proposes; gives that."""
    git(root, "init", "-q", "-b", "main")
    git(root, "config", "user.name", "Test")
    git(root, "config", "user.email", "test@localhost")
    proposed = fanfold(root, "init", "--json").json
    (root / PLAN).parent.mkdir(parents=True, exist_ok=True)
    (root / PLAN).write_text(TASKS)
    git(root, "add", "-A", "-f", ".")
    git(root, "commit", "-qm", "package")
    return proposed


def check_of(root: Path) -> str:
    """The check that stands in the proposed file."""
    return tomllib.loads((root / "fanfold.toml").read_text())["checks"]["run"][0]


def pnpm_at(folder: Path) -> Path:
    """pnpm from npm; gives the folder of its programs."""
    folder.mkdir()
    (folder / "package.json").write_text("{}")
    words = ["npm", "install", "--silent", "--no-audit", "pnpm"]
    subprocess.run(words, check=True, cwd=folder, stdout=subprocess.DEVNULL)
    return folder / "node_modules" / ".bin"


def poetry_at(folder: Path) -> Path:
    """poetry from PyPI; gives the folder of its programs."""
    subprocess.run([str(UV), "venv", "-q", str(folder)], check=True)
    words = [str(UV), "pip", "install", "-q", "--python", str(folder), "poetry"]
    subprocess.run(words, check=True)
    return folder / "bin"


def for_poetry(root: Path) -> None:
    """What its tests import is all that it needs; the source speaks what every index does."""
    index = KINDS["pypi"].address(environment()) or f"https://{KINDS['pypi'].hosts[0]}/simple/"
    manifest = root / "pyproject.toml"
    text = re.sub(
        r"(?s)dev = \[.*?\n\]", 'dev = ["pytest>=7.2", "PyYAML>=6.0"]', manifest.read_text()
    )
    source = f'[[tool.poetry.source]]\nname = "simple"\nurl = "{index}"\n'
    manifest.write_text(f'{text}\n{source}priority = "primary"\n')


@pytest.mark.long
@pytest.mark.network
@pytest.mark.skipif(no_sandbox_because() is not None, reason=no_sandbox_because() or "")
@pytest.mark.parametrize(
    ("kind", "tool", "name", "lock", "prepare"),
    [
        (
            *("npm", pnpm_at, "concat-map@0.0.1", "pnpm install --lockfile-only"),
            "pnpm install --frozen-lockfile",
        ),
        (
            *("pypi", poetry_at, "tomlkit==0.15.2", "poetry lock -q"),
            "POETRY_VIRTUALENVS_IN_PROJECT=1 poetry install",
        ),
    ],
)
def test_other_package_managers_prepare_too(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    tool: Callable[[Path], Path],
    name: str,
    lock: str,
    prepare: str,
) -> None:
    if not reachable(kind):
        pytest.skip(f"the registry of {kind} does not answer")
    if shutil.which("npm") is None if kind == "npm" else UV is None:
        pytest.skip("nothing here to fetch it with")
    root = unpacked(tmp_path, from_npm if kind == "npm" else from_pypi, name)
    programs = tool(tmp_path / "tool")
    monkeypatch.setenv("PATH", f"{programs}:{environment()['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if kind == "pypi":
        if trusted := ssl.get_default_verify_paths().cafile:
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", trusted)
        for_poetry(root)
    subprocess.run(lock.split(), check=True, cwd=root, stdout=subprocess.DEVNULL)
    assert prepare in str(commit(root)["proposal"])
    play(monkeypatch, tmp_path, {"task": "*", "turns": [{"calls": [SUBMIT]}]})
    ended = fanfold(root, "run", PLAN, "--budget", "1", "--json")
    assert ended.code == 0, ended.err
    assert [check["ok"] for check in ended.json["checks"]] == [True]
