"""Both harnesses at one fake Messages API: what each puts on the wire for the same forty actions.

fanfold works through its own loop and client, mini-swe-agent through its agent and litellm, which
`uv` fetches; each in a fresh copy of the package, and both must leave the same files behind. Tokens
are counted by the tokenizer of Claude that litellm ships, the only one that is public.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from forty import forty, ours, theirs, unpack
from own import attempt, desk, tools_path
from prompt_cache import Block, blocks_of
from rival import RIVAL

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from fanfold.adapters.claude.messages import ClaudeModel  # noqa: E402
from fanfold.adapters.git.repository import open_repository  # noqa: E402
from fanfold.adapters.git.workspaces import GitWorkspaces  # noqa: E402
from fanfold.adapters.local.sandbox import NoSandbox  # noqa: E402
from fanfold.agent.attempt import run_attempt  # noqa: E402
from fanfold.run.attempt import Exit  # noqa: E402
from fanfold.settings import environment  # noqa: E402
from tests.fakes.messages_api import FakeMessagesApi  # noqa: E402
from tests.fakes.messages_wire import Reply, request_of  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from forty import Action

    Words = Callable[[Action], dict[str, Any]]

_WITH = [word for name in (RIVAL, "litellm==1.106.2", "mcp==2.3.0") for word in ("--with", name)]


class Sent(NamedTuple):
    """The requests of an attempt and the blocks of each reply; `files` names what it left."""

    requests: list[list[Block]]
    replies: list[list[Block]]
    files: str

    def counted(self, tokens: dict[str, int]) -> Sent:
        """With the tokens of each block."""

        def count(rows: list[list[Block]]) -> list[list[Block]]:
            return [[Block(b.text, b.ttl, tokens[b.text]) for b in blocks] for blocks in rows]

        return Sent(count(self.requests), count(self.replies), self.files)

    @property
    def texts(self) -> set[str]:
        return {block.text for blocks in (*self.requests, *self.replies) for block in blocks}


def archive(folder: Path) -> Path | None:
    """The package as its index gives it; None where it cannot be had."""
    words = ["-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d"]
    run = ["python3", *words, str(folder), forty().package]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    return next(folder.glob("*.tar.gz"), None) if done.returncode == 0 else None


def by_us(source: Path, turns: list[list[Action]], instructions: str = "") -> Sent:
    """Our loop and client, in a checkout of the package."""
    with tempfile.TemporaryDirectory() as name, _served(turns, ours) as (url, seen):
        place = unpack(source, Path(name))
        repository = open_repository(place)
        tree = repository.tree_of("HEAD")
        environment_ = {**environment(), "PATH": tools_path()}
        workspaces = GitWorkspaces(repository, Path(name) / "home", NoSandbox(environment_))
        workspace = workspaces.open(tree, shell=True, name="x")
        model = ClaudeModel("sk-" + "x" * 20, base_url=url)
        report = run_attempt(
            attempt(tree, forty().task, instructions), desk(Path(name) / "log", workspace, model)
        )
        files = _names((path, workspace.read(path)) for path in workspace.files())
        workspaces.close()
    if report.exit is not Exit.SUBMITTED or report.steps != len(turns):
        sys.exit(f"the attempt ended as {report.exit}: {report.detail}")
    return _sent(seen, turns, ours, files)


def by_rival(source: Path, turns: list[list[Action]], config: str) -> Sent:
    """Its agent as a configuration that it ships sets it up, with litellm before the fake."""
    with tempfile.TemporaryDirectory() as name, _served(turns, theirs) as (url, seen):
        place = unpack(source, Path(name))
        rival("wire", str(place), url, config, tools_path(), given=forty().task)
        words = ["git", "ls-files", "-z", "-c", "-o", "--exclude-standard"]
        listed = subprocess.run(words, cwd=place, capture_output=True, check=True).stdout
        paths = sorted(path for path in listed.decode().split("\0") if (place / path).is_file())
        files = _names((path, (place / path).read_bytes()) for path in paths)
    return _sent(seen, turns, theirs, files)


def tokens_of(texts: Iterable[str]) -> dict[str, int]:
    """Tokens of each text."""
    known = sorted(texts)
    return dict(zip(known, json.loads(rival("count", given=known)), strict=True))


def has_rival() -> bool:
    return _uv() is not None


def rival(*arguments: str, given: Any) -> str:
    """What `rival.py` prints, given JSON, in an environment of its own; exits where it fails."""
    script = str(Path(__file__).with_name("rival.py"))
    run = [_uv() or "uv", "run", "--quiet", "--no-project", *_WITH, "python", script]
    env = {**environment(), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    done = subprocess.run(
        [*run, *arguments],
        input=json.dumps(given),
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr.strip()[-2000:])
    return done.stdout.splitlines()[-1]


def _uv() -> str | None:
    return shutil.which("uv") or next(map(str, (ROOT / ".uv").glob("*/bin/uv")), None)


@contextmanager
def _served(turns: list[list[Action]], words: Words) -> Generator[tuple[str, list[dict[str, Any]]]]:
    """An API that plays the turns: which one is next shows in the request."""
    seen: list[dict[str, Any]] = []

    def reply(body: dict[str, Any]) -> Reply:
        seen.append(body)
        turn = sum(message["role"] == "assistant" for message in body["messages"])
        return Reply(_content(turns[turn], words, turn))

    with FakeMessagesApi(default=reply) as api:
        yield api.url, seen


def _content(turn: list[Action], words: Words, number: int) -> list[dict[str, Any]]:
    calls = [
        {"type": "tool_use", "id": f"toolu_{number:02}_{n}", **words(action)}
        for n, action in enumerate(turn)
    ]
    return [{"type": "text", "text": " ".join(action.thought for action in turn)}, *calls]


def _sent(seen: list[dict[str, Any]], turns: list[list[Action]], words: Words, files: str) -> Sent:
    replies = [
        [
            Block(block.get("text") or json.dumps(block["input"]))
            for block in _content(turn, words, 0)
        ]
        for turn in turns
    ]
    return Sent([blocks_of(request_of(body)) for body in seen], replies, files)


def _names(files: Iterable[tuple[str, bytes]]) -> str:
    """One name for all files; what Python compiled beside them does not count."""
    hashed = hashlib.sha256()
    for path, data in files:
        if "__pycache__" not in path:
            hashed.update(f"{path}\0{hashlib.sha256(data).hexdigest()}\n".encode())
    return hashed.hexdigest()
