"""`fanfold run` over real HTTP, against a Messages API that answers, errs and breaks off."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from fanfold.cli.demo.agents import agents
from fanfold.cli.demo.repository import FILES
from fanfold.cli.demo.repository import PLAN as DEMO_PLAN
from fanfold.run.money import from_dollars
from tests.fakes.bedrock import sign_in, well_signed
from tests.fakes.messages_api import FakeMessagesApi, refused_url
from tests.fakes.messages_wire import Cut, Raw, Refusal, Reply, text, tool
from tests.fakes.projects import PLAN, fanfold, git, make_repository
from tests.fakes.scripted_agents import ScriptedAgents

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.messages_api import Seen
    from tests.fakes.messages_wire import Answer

KEY = "sk-" + "not-a-key-" * 3
TASK = "# Plan\n\n## Phase 1: One\n\n- [ ] Task: Write a file\n"
RUN = ("run", PLAN, "--budget", "2", "--json", "--no-sandbox", "--check", "true")


def agent(body: dict[str, Any]) -> Answer:
    """Writes a.txt, whatever was answered before, and submits once it is written."""
    if '"file_path": "a.txt"' in json.dumps(body["messages"]):
        return tool("submit", {"status": "done", "summary": "Wrote a.txt."})
    return tool("write", {"file_path": "a.txt", "content": "a\n"})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "project", {PLAN: TASK})


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMessagesApi]:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.delenv("FANFOLD_MODEL_SCRIPT", raising=False)
    with FakeMessagesApi(default=agent, key=KEY) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        yield server


def test_a_run_over_http(root: Path, api: FakeMessagesApi) -> None:
    ended = fanfold(root, *RUN)
    assert ended.code == 0, ended.err
    assert ended.json["verified"]
    assert git(root, "show", f"{ended.json['branch']}:a.txt") == "a"
    assert from_dollars(ended.json["cost_usd"]) > 0
    assert len(api.calls) == 2


@pytest.mark.parametrize(
    "fault",
    [
        Refusal(429, "rate_limit_error"),
        Refusal(429, "rate_limit_error", headers={"retry-after": "0"}),
        Refusal(529, "overloaded_error"),
        Refusal(500),
        Raw(b"event: message_start\ndata: {garbage\n\n"),
        tool("write", {"file_path": "b.txt", "content": "b"}, cut=Cut.MID_TOOL),
        tool("write", {"file_path": "b.txt", "content": "b"}, truncate=8),
        tool("write", {"file_path": "b.txt", "content": "b"}, stop_reason="max_tokens"),
        text("half a sen", cut=Cut.MID_TEXT),
        text("almost", cut=Cut.BEFORE_MESSAGE_STOP),
        Reply([]),
        Reply([{"type": "from_the_future", "data": {"x": 1}}]),
        text("Hello.", usage={}),
    ],
    ids=[
        "429",
        "429-retry-after",
        "529",
        "500",
        "garbage",
        "cut-tool",
        "truncated-input",
        "max-tokens",
        "cut-text",
        "no-message-stop",
        "empty",
        "unknown-block",
        "no-usage",
    ],
)
def test_a_fault_is_outlived(root: Path, api: FakeMessagesApi, fault: Answer) -> None:
    api.replies.append(fault)
    ended = fanfold(root, *RUN)
    assert ended.code == 0, ended.out + ended.err
    files = git(root, "ls-tree", "--name-only", ended.json["branch"]).split()
    assert files == ["a.txt", "conductor"]
    assert from_dollars(ended.json["cost_usd"]) <= from_dollars("2")


@pytest.mark.parametrize(
    ("fault", "code", "reason"),
    [
        (Refusal(401, "authentication_error"), 5, "model_denied"),
        (Refusal(403, "permission_error"), 5, "model_denied"),
        (Refusal(404, "not_found_error"), 5, "model_denied"),
        (Refusal(400, "invalid_request_error"), 1, "model_rejected"),
        (Refusal(413, "request_too_large"), 1, "model_rejected"),
        (text("No.", stop_reason="refusal"), 1, "refused"),
        (text("Full.", stop_reason="model_context_window_exceeded"), 3, "repeated_failure"),
        (text("I think it is done."), 3, "repeated_failure"),
    ],
    ids=["401", "403", "404", "400", "413", "refusal", "window", "bare-end-turn"],
)
def test_a_lasting_fault_ends_with_a_reason(
    root: Path, api: FakeMessagesApi, fault: Answer, code: int, reason: str
) -> None:
    api.default = fault
    ended = fanfold(root, *RUN)
    assert ended.code == code, ended.out + ended.err
    (task,) = ended.json["tasks"]
    held = reason == "repeated_failure"
    assert (task["state"], task["reason"]) == ("waiting" if held else "failed", reason)
    assert "Traceback" not in ended.err
    assert KEY not in ended.out + ended.err


def test_a_refused_key_can_be_mended_and_the_run_resumed(
    root: Path, api: FakeMessagesApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "another" + "-key")
    ended = fanfold(root, *RUN)
    assert ended.code == 5
    assert ended.json["next"] == [f"fanfold resume {ended.json['run']}"]
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    assert fanfold(root, "resume", "--json").code == 0


def test_nobody_listens(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", refused_url())
    monkeypatch.setenv("FANFOLD_LIMITS_ATTEMPTS", "1")
    ended = fanfold(root, *RUN)
    assert ended.code == 5
    assert ended.json["tasks"][0]["reason"] == "model_unavailable"


def test_usage_that_explodes_stops_at_the_slice(root: Path, api: FakeMessagesApi) -> None:
    huge = {"input_tokens": 5_000_000, "output_tokens": 100_000}
    api.default = tool("read", {"file_path": PLAN}, usage=huge)
    ended = fanfold(root, *RUN)
    assert ended.code == 1
    assert ended.json["tasks"][0]["reason"] == "budget"
    assert len(api.calls) == 1


def test_no_secret_is_left_on_disk(root: Path, api: FakeMessagesApi) -> None:
    assert fanfold(root, *RUN).code == 0
    for file in (root / ".ai-workspace").rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes()


def test_the_demo_is_played_over_http(tmp_path: Path, api: FakeMessagesApi) -> None:
    api.default = ScriptedAgents(agents())
    root = make_repository(tmp_path / "demo", FILES)
    check = "! grep -q 'text.at : at' textkit/wrap.py 2>/dev/null"
    words = ("--unit", "task", "--budget", "5", "--check", check, "--no-sandbox", "--json")
    ended = fanfold(root, "run", DEMO_PLAN, *words)
    assert ended.code == 3, ended.err
    run_id = ended.json["run"]
    assert fanfold(root, "approve", run_id).code == 0
    ended = fanfold(root, "resume", run_id, "--json")
    assert ended.code == 0
    assert {t["id"]: t["attempts"] for t in ended.json["tasks"]} == {
        "1.1": 1,
        "1.2": 2,
        "1.3": 2,
        "1.4": 0,
        "2.1": 1,
    }


def test_a_run_through_bedrock(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same run, signed; in a geography, whose prices are a tenth above the list."""
    for name in ("ANTHROPIC_API_KEY", "FANFOLD_MODEL_SCRIPT", "AWS_BEARER_TOKEN_BEDROCK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FANFOLD_MODEL_PROVIDER", "bedrock")
    sign_in(monkeypatch)
    usage = {"input_tokens": 10_000, "output_tokens": 1}
    with FakeMessagesApi(default=agent, signature=well_signed) as bedrock:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", bedrock.url)
        bedrock.replies.append(tool("write", {"file_path": "a.txt", "content": "a\n"}, usage=usage))
        ended = fanfold(root, *RUN)
        looked = fanfold(root, "doctor", "--json")
    assert ended.code == 0, ended.err
    assert git(root, "show", f"{ended.json['branch']}:a.txt") == "a"
    assert {seen.body["model"] for seen in bedrock.calls} == {"eu.anthropic.claude-sonnet-5-5"}
    assert from_dollars(ended.json["cost_usd"]) >= 22_000
    assert "AWS credentials are there" in looked.out


def test_bedrock_without_credentials_is_said_before_the_run(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FANFOLD_MODEL_SCRIPT", raising=False)
    monkeypatch.setenv("FANFOLD_MODEL_PROVIDER", "bedrock")
    sign_in(monkeypatch, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    ended = fanfold(root, *RUN)
    assert (ended.code, ended.out) == (2, "")
    assert "no AWS credentials for Bedrock" in ended.err
    assert ended.err.count("\n") == 1


def test_a_wave_lets_the_first_call_write_what_all_share(
    tmp_path: Path, api: FakeMessagesApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = "".join(f"- [ ] Task: Write part {n}\n" for n in range(4))
    plan = f"# Plan\n\n## Phase 1: Parts\n<!-- execution: parallel -->\n\n{tasks}"
    guide = "Keep lines short.\n" * 800
    root = make_repository(tmp_path / "wave", {PLAN: plan, "AGENTS.md": guide})
    seen: list[tuple[float, float]] = []
    lock = threading.Lock()

    def slowly(body: dict[str, Any]) -> Answer:
        began = time.monotonic()
        time.sleep(0.2)
        if len(body["messages"]) == 1:
            with lock:
                seen.append((began, time.monotonic()))
        return agent(body)

    def at_once(asked: Seen) -> Answer:
        return slowly(asked.body)

    monkeypatch.setattr(api, "answer", at_once)  # the server's own lock would serialise them
    ended = fanfold(root, *RUN, "--unit", "task")
    assert ended.code in {0, 1}, ended.err
    (_, first_ended), *others = sorted(seen)
    assert len(others) == 3
    assert all(began >= first_ended for began, _ in others)
