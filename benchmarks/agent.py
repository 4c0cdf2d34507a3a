"""The loop of an attempt beside mini-swe-agent's: the same forty commands, played by a script.

Steps a second of both harnesses with commands that cost next to nothing, and dollars of what each
would send, counted by one simulation of the prompt cache at one model's prices. fanfold looks by
its file tools, and once more by the same commands, each with limits and an end to what it left.
mini-swe-agent is heavy, so it is not installed: `uv` fetches it for the run. Exits 1 where our file
tools are slower, or less than nine tenths of our input come from the cache.
"""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

RIVAL = "mini-swe-agent==2.4.6"
MODEL = "claude-sonnet-5-5"
STEPS, ROUNDS, LINES = 40, 3, 120
LEAST_CACHED = 0.9
CHARACTERS_A_TOKEN, LOOK_BACK = 4, 20
TASK = "Make part 7 shout, and its tests.\n" * 20
PROMPT = "You change code in a repository by commands. " * 60


class Block(NamedTuple):
    """A block of a request as the cache sees it; `ttl` where a breakpoint stands on it."""

    size: int
    ttl: str | None = None


def command(step: int) -> str:
    if step == STEPS - 1:
        return "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"
    return f"sed -n {step + 1},{step + 40}p part{step % 8}.py"


def arguments(step: int, *, files: bool) -> dict[str, Any]:
    """Of our own tool for files, or of that for commands."""
    if files:
        return {"file_path": f"part{step % 8}.py", "view_range": [step + 1, step + 40]}
    return {"command": command(step)}


def thought(step: int) -> str:
    return f"Step {step}: I look at part {step % 8} to see how its neighbours call it. " * 4


def make_files(folder: Path) -> None:
    for number in range(8):
        lines = (f"def part{number}_{n}(): return {n}\n" for n in range(LINES))
        (folder / f"part{number}.py").write_text("".join(lines))


def play_rival(folder: Path) -> dict[str, Any]:
    """Seconds of mini-swe-agent's loop, and the size of each message with what each call sent."""
    agents = importlib.import_module("minisweagent.agents.default")
    local = importlib.import_module("minisweagent.environments.local")
    models = importlib.import_module("minisweagent.models.test_models")
    outputs = [
        models.make_output(thought(n), [{"command": command(n)}], cost=0.0) for n in range(STEPS)
    ]
    lengths: list[int] = []

    class Recorded(models.DeterministicModel):
        def query(self, messages: list[Any], **more: Any) -> Any:
            lengths.append(len(messages))
            return models.DeterministicModel.query(self, messages, **more)

    agent = agents.DefaultAgent(
        Recorded(outputs=outputs),
        local.LocalEnvironment(cwd=str(folder)),
        system_template=PROMPT,
        instance_template="{{task}}",
        output_path=folder / "trajectory.json",
    )
    started = time.perf_counter()
    agent.run(TASK)
    seconds = time.perf_counter() - started
    sizes = [
        len(json.dumps([m.get("content"), m.get("extra", {}).get("actions")]))
        for m in agent.messages
    ]
    return {"seconds": seconds, "sizes": sizes, "lengths": lengths}


def rival() -> dict[str, Any] | None:
    """What mini-swe-agent does in a process of its own; None where it cannot be had."""
    uv = shutil.which("uv") or next(map(str, Path(".uv").glob("*/bin/uv")), None)
    if uv is None:
        return None
    run = [uv, "run", "--quiet", "--no-project", "--with", RIVAL, "python", __file__, "rival"]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr.strip()[-500:], file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def play_own(folder: Path, *, files: bool) -> tuple[float, list[list[Block]], list[int]]:
    """Seconds of our loop, what each call sent, and the characters of each reply."""
    from fanfold.adapters.claude.prices import ModelPrices
    from fanfold.adapters.git.repository import open_repository
    from fanfold.adapters.git.workspaces import GitWorkspaces
    from fanfold.adapters.local.artifact_store import FileArtifactStore
    from fanfold.adapters.local.clock import SystemClock
    from fanfold.adapters.local.event_store import JsonlEventStore
    from fanfold.adapters.local.sandbox import NoSandbox
    from fanfold.adapters.local.secrets import Secrets
    from fanfold.agent.attempt import run_attempt
    from fanfold.agent.desk import Desk
    from fanfold.agent.log import AttemptLog
    from fanfold.ports import ModelReply, ModelRequest
    from fanfold.run.attempt import AttemptLimits, Context, Exit, Purpose, TaskText, Usage
    from fanfold.settings import environment

    for words in ("init -q", "add -A", "-c user.name=x -c user.email=x@y commit -qm base"):
        subprocess.run(["git", *words.split()], cwd=folder, check=True)
    repository = open_repository(folder)
    tree = repository.tree_of("HEAD")
    workspaces = GitWorkspaces(repository, folder / ".home", NoSandbox(environment()))
    requests: list[list[Block]] = []
    replies: list[int] = []

    class Script:
        def send(self, request: ModelRequest, *, timeout_s: float) -> ModelReply:  # noqa: ARG002
            step = len(requests)
            requests.append(blocks_of(request))
            last = step == STEPS - 1
            name = "submit" if last else "read" if files else "bash"
            given = {"status": "done", "summary": ""} if last else arguments(step, files=files)
            use = {"type": "tool_use", "id": f"toolu_{step}", "name": name, "input": given}
            content = [{"type": "text", "text": thought(step)}, use]
            replies.append(len(json.dumps(content)))
            return ModelReply(f"m{step}", content, "tool_use", Usage(1000, 100), MODEL)

    store = JsonlEventStore(folder / ".ws", "x", SystemClock(), FileArtifactStore(folder / ".ws"))
    lines: list[Any] = []
    workspace = workspaces.open(tree, shell=True, name="x")
    workspace.run("true", 9)
    desk = Desk(
        events=AttemptLog(store, "run/r/attempt/a.1"),
        workspace=workspace,
        model=Script(),
        prices=ModelPrices({}),
        clock=SystemClock(),
        secrets=Secrets(),
        keep_going=lambda: None,
        transcript=lines.append,
    )
    context = Context(
        "r",
        "a.1",
        "a",
        "implementer",
        Purpose.WORK,
        tree,
        (TaskText("a", "Shout", TASK),),
        AttemptLimits(10_000_000),
        MODEL,
        shell=True,
    )
    started = time.perf_counter()
    report = run_attempt(context, desk)
    seconds = time.perf_counter() - started
    workspaces.close()
    if report.exit is not Exit.SUBMITTED or report.steps != STEPS:
        sys.exit(f"agent: the attempt ended as {report.exit}: {report.detail}")
    return seconds, requests, replies


def blocks_of(request: Any) -> list[Block]:
    said = [block for message in request.messages for block in message["content"]]
    return [Block(len(json.dumps(request.tools))), *map(block_of, (*request.system, *said))]


def block_of(block: dict[str, Any]) -> Block:
    mark = block.get("cache_control")
    text = block.get("text") or block.get("content") or json.dumps(block.get("input"))
    return Block(len(text), mark and mark.get("ttl", "5m"))


def rival_requests(told: dict[str, Any], *, marked: bool) -> tuple[list[list[Block]], list[int]]:
    """With one breakpoint on the last message, as it sets for Claude models, or with none."""
    sizes: list[int] = told["sizes"]
    requests = [[Block(size) for size in sizes[:length]] for length in told["lengths"]]
    if marked:
        requests = [[*r[:-1], r[-1]._replace(ttl="5m")] for r in requests]
    return requests, [sizes[length] for length in told["lengths"]]


def dollars(requests: list[list[Block]], replies: list[int]) -> tuple[float, float]:
    """Dollars of all calls, and the share of the input that came from the cache."""
    from fanfold.adapters.claude.prices import ModelPrices
    from fanfold.run.attempt import Usage

    known: set[int] = set()
    total = Usage()
    for blocks, reply in zip(requests, replies, strict=True):
        marks = [i + 1 for i, block in enumerate(blocks) if block.ttl]
        reach = {n for mark in marks for n in range(max(mark - LOOK_BACK, 1), mark + 1)}
        read = max(reach & known, default=0)
        hour = max((m for m in marks if blocks[m - 1].ttl == "1h"), default=0)
        written = max(marks, default=0)
        known.update(marks)
        total += Usage(
            input=tokens(blocks[max(written, read) :]),
            output=reply // CHARACTERS_A_TOKEN,
            cache_write_1h=tokens(blocks[read:hour]),
            cache_write_5m=tokens(blocks[max(read, hour) : written]),
            cache_read=tokens(blocks[:read]),
        )
    return ModelPrices({}).cost(MODEL, total) / 1e6, total.cache_read / total.context


def tokens(blocks: list[Block]) -> int:
    return sum(block.size for block in blocks) // CHARACTERS_A_TOKEN


def timed_own(*, files: bool) -> tuple[float, list[list[Block]], list[int]]:
    with tempfile.TemporaryDirectory() as name:
        make_files(Path(name))
        return play_own(Path(name), files=files)


def main() -> int:
    told = rival()
    if told is None:
        print(f"{RIVAL} cannot be had here: no comparison")
    else:
        print(f"{RIVAL}, commands: {STEPS / told['seconds']:.0f} steps/s")
        for marked in (True, False):
            cost, share = dollars(*rival_requests(told, marked=marked))
            how = "one breakpoint" if marked else "no breakpoint"
            print(f"  {how}: ${cost:.4f}, {share:.1%} of input from the cache")
    held = [compare(told, files=files) for files in (True, False)]
    return 0 if all(held) else 1


def compare(told: dict[str, Any] | None, *, files: bool) -> bool:
    """Print our own figures beside those told; whether the bounds hold."""
    played = [timed_own(files=files) for _ in range(ROUNDS)]
    seconds = min(own[0] for own in played)
    cost, cached = dollars(*played[0][1:])
    what = "its file tools" if files else "commands, cleaned up after"
    print(f"fanfold, {what}: {STEPS / seconds:.0f} steps/s")
    print(f"  ${cost:.4f}, {cached:.1%} of input from the cache (at least {LEAST_CACHED:.0%})")
    if told is None:
        return cached >= LEAST_CACHED
    speed = told["seconds"] / seconds
    one, none = (cost / dollars(*rival_requests(told, marked=m))[0] for m in (True, False))
    print(f"  speed ratio {speed:.2f}; dollars {one:.2f} of one breakpoint, {none:.2f} of none")
    return cached >= LEAST_CACHED and (speed >= 1 or not files)


def main_of_rival() -> int:
    with tempfile.TemporaryDirectory() as name:
        make_files(Path(name))
        print(
            json.dumps(
                min(
                    (play_rival(Path(name)) for _ in range(ROUNDS)),
                    key=lambda told: told["seconds"],
                )
            )
        )
    return 0


if __name__ == "__main__":
    sys.exit(main_of_rival() if sys.argv[1:] == ["rival"] else main())
