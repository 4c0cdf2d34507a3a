"""Forty actions that carry out one task in a real package, as each of two harnesses words them.

`forty.toml` holds them. The package is a source distribution of sqlparse, the task a new option of
its formatter with tests and documentation. What the actions are is drawn from what Claude Sonnet
4.5 did in 616 attempts at SWE-bench Pro: a mean of 78 steps, of them 33 commands, 15 views, 14
searches, 8 edits, 6 new files (nilenso/swe-bench-pro-cost-token-time-analysis, docs/report.txt).
"""

from __future__ import annotations

import subprocess
import tarfile
import tomllib
from itertools import groupby
from pathlib import Path
from shlex import quote
from typing import Any

import msgspec

DONE = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"


class Action(msgspec.Struct, frozen=True):
    """What is thought, and done: the fields that its `kind` has; several of a `turn` are sent
    together."""

    turn: int
    kind: str
    thought: str
    path: str = ""
    first: int = 0
    last: int = 0
    pattern: str = ""
    command: str = ""
    old: str = ""
    new: str = ""
    content: str = ""
    summary: str = ""


class Forty(msgspec.Struct, frozen=True):
    """The file's content."""

    package: str
    task: str
    actions: list[Action]

    @property
    def turns(self) -> list[list[Action]]:
        return [list(turn) for _, turn in groupby(self.actions, lambda action: action.turn)]

    @property
    def singly(self) -> list[list[Action]]:
        return [[action] for action in self.actions]


def forty() -> Forty:
    """The task and its actions."""
    text = Path(__file__).with_name("forty.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), Forty)


def ours(action: Action) -> dict[str, Any]:
    """The call as our tools take it."""
    match action.kind:
        case "look":
            window = {"view_range": [action.first, action.last]} if action.first else {}
            return _call("read", file_path=action.path, **window)
        case "list":
            return _call("glob", pattern=f"**/{action.pattern}")
        case "search":
            return _call("grep", pattern=action.pattern, path=action.path or None)
        case "edit":
            edit = {"old_string": action.old, "new_string": action.new}
            return _call("edit", file_path=action.path, **edit)
        case "write":
            return _call("write", file_path=action.path, content=action.content)
        case "submit":
            return _call("submit", status="done", summary=action.summary)
        case _:
            return _call("bash", command=action.command)


def theirs(action: Action) -> dict[str, Any]:
    """The command as the examples in mini-swe-agent's own prompt put it."""
    path = action.path
    match action.kind:
        case "look" if not action.first:
            command = f"cat {path}"
        case "look":
            command = f"nl -ba {path} | sed -n '{action.first},{action.last}p'"
        case "list":
            command = f"find . -name {quote(action.pattern)} -not -path './.git/*'"
        case "search":
            command = f"grep -rnE {quote(action.pattern)} {path or '.'} --exclude-dir=.git"
        case "edit":
            command = _replace(path, action.old, action.new)
        case "write":
            command = f"cat <<'EOF' > {path}\n{action.content}EOF"
        case "submit":
            command = DONE
        case _:
            command = action.command
    return _call("bash", command=command)


def unpack(archive: Path, folder: Path) -> Path:
    """The package's files in a git repository, as either harness finds them."""
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    place = next(path for path in folder.iterdir() if path.is_dir())
    for words in ("init -q", "add -A", "-c user.name=x -c user.email=x@y commit -qm Base"):
        subprocess.run(["git", *words.split()], cwd=place, check=True)
    return place


def _call(name: str, **given: Any) -> dict[str, Any]:
    return {"name": name, "input": {k: value for k, value in given.items() if value is not None}}


def _replace(path: str, old: str, new: str) -> str:
    """A passage of several lines is beyond sed: Python's own replacement, in a here document."""
    return (
        "python - <<'EOF'\nfrom pathlib import Path\n"
        f"path = Path({path!r})\ntext = path.read_text()\n"
        f"old = '''{old}'''\nnew = '''{new}'''\n"
        "assert text.count(old) == 1\npath.write_text(text.replace(old, new))\nEOF"
    )
