"""Whole runs against the fake Messages API: real HTTP, real SDK, many agents, faults."""

from __future__ import annotations

import json
import threading
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from fanfold.adapters.claude.prices import ModelPrices
from fanfold.adapters.claude.usage import read_usage
from fanfold.adapters.local.script import Call, Script, Turn, submit, use, write_files
from tests.fakes.messages_api import FakeMessagesApi, usage_of
from tests.fakes.messages_wire import Cut, Ending, Refusal, Reply, text, tool
from tests.fakes.projects import PLAN, fanfold, git, make_repository
from tests.fakes.scripted_agents import ScriptedAgents

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.messages_wire import Answer

KEY = "-".join(("fake", "key", "of", "the", "run"))
MODEL = "claude-sonnet-5-5"
TITLES = [f"Write part {name}" for name in ("one", "two", "three", "four")]


def plan() -> str:
    tasks = "".join(f"- [ ] Task: {title} <!-- files: {file(title)} -->\n" for title in TITLES)
    return f"# Plan: Parts\n\n## Phase 1: Parts <!-- execution: parallel -->\n\n{tasks}"


def file(title: str) -> str:
    return f"{title.rsplit(' ', 1)[1]}.txt"


def script(*first: Turn) -> Script:
    return Script.of(
        {
            title: [
                *first,
                use("glob", pattern="*.txt"),
                write_files({file(title): f"{title}\n"}),
                submit(f"Wrote {file(title)}."),
            ]
            for title in TITLES
        }
    )


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return make_repository(tmp_path / "project", {PLAN: plan(), "README.md": "Parts.\n"})


def run(root: Path, api: FakeMessagesApi, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", api.url)
    words = ("run", PLAN, "--unit", "task", "--model", MODEL, "--budget", "10", "--no-sandbox")
    ended = fanfold(root, *words, "--concurrency", "4", "--check", "true", "--json")
    assert ended.code == 0, ended.err
    return ended.json


def assert_all_merged(root: Path, result: Any) -> None:
    assert {task["state"] for task in result["tasks"]} == {"merged"}
    for title in TITLES:
        assert git(root, "show", f"{result['branch']}:{file(title)}") == title


def test_agents_run_at_once_and_pay_what_the_api_counted(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(len(TITLES), timeout=30)
    agents, paid = ScriptedAgents(script()), list[int]()

    def answer(body: dict[str, Any]) -> Answer:
        if len(body["messages"]) == 1:
            together.wait()
        reply = agents(body)
        assert isinstance(reply, Reply)
        usage = read_usage(usage_of(body, reply.content))
        paid.append(ModelPrices().cost(MODEL, usage))
        return reply

    with FakeMessagesApi(default=answer, key=KEY) as api:
        result = run(repository, api, monkeypatch)
    assert_all_merged(repository, result)
    assert len(api.calls) == 3 * len(TITLES)
    assert round(float(result["cost_usd"]) * 1_000_000) == sum(paid)


def test_run_outlives_every_passing_fault(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = {"retry-after": "0"}
    faults: list[Answer] = [
        Refusal(429, "rate_limit_error", headers=now),
        Refusal(529, "overloaded_error", headers=now),
        Refusal(500, headers=now),
        text(cut=Cut.MID_TEXT),
        tool("write", {"file_path": "README.md", "content": "x" * 99}, cut=Cut.MID_TOOL),
        tool("write", {"file_path": "README.md", "content": "x" * 99}, truncate=9),
        text(cut=Cut.BEFORE_STOP_REASON, ending=Ending.HANG_UP),
    ]
    cut_off = Turn(
        calls=(Call("write", {"file_path": "README.md", "content": "y"}),), stop_reason="max_tokens"
    )
    with FakeMessagesApi(*faults, default=ScriptedAgents(script(cut_off)), key=KEY) as api:
        result = run(repository, api, monkeypatch)
    assert_all_merged(repository, result)
    assert git(repository, "show", f"{result['branch']}:README.md") == "Parts."
    assert len(api.calls) == 4 * len(TITLES) + len(faults)


def test_later_requests_begin_with_the_bytes_of_the_earlier_ones(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeMessagesApi(default=ScriptedAgents(script()), key=KEY) as api:
        run(repository, api, monkeypatch)
    systems = {str((seen.body["tools"], seen.body["system"][:2])) for seen in api.calls}
    assert len(systems) == 1
    by_agent: dict[str, list[list[Any]]] = {}
    for seen in api.calls:
        messages = [unmarked(message) for message in seen.body["messages"]]
        by_agent.setdefault(str(messages[0]), []).append(messages)
    assert len(by_agent) == len(TITLES)
    for conversation in by_agent.values():
        conversation.sort(key=len)
        for earlier, later in pairwise(conversation):
            assert later[: len(earlier)] == earlier


def test_a_run_whose_usage_explodes_stops_at_its_cap(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each reply bills all that its request allowed; the ledger is the bill to the micro-dollar."""
    paid: list[int] = []

    def answer(body: dict[str, Any]) -> Answer:
        told = {"input_tokens": len(str(body)) // 4, "output_tokens": body["max_tokens"]}
        paid.append(ModelPrices().cost(MODEL, read_usage(told)))
        return tool("glob", {"pattern": f"{len(paid)}*"}, usage=told)

    with FakeMessagesApi(default=answer, key=KEY) as api:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", api.url)
        words = ("run", PLAN, "--unit", "task", "--model", MODEL, "--no-sandbox", "--json")
        ended = fanfold(repository, *words, "--budget", "1.25")
    assert {(task["state"], task["reason"]) for task in ended.json["tasks"]} == {
        ("failed", "budget")
    }
    spent = round(float(ended.json["cost_usd"]) * 1_000_000)
    assert spent == sum(paid)
    assert 1_000_000 < spent <= 1_250_000


def test_key_is_nowhere_in_what_the_run_leaves_behind(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied = Refusal(401, "authentication_error", f"invalid key {KEY}")
    with FakeMessagesApi(default=denied, key=KEY) as api:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", api.url)
        ended = fanfold(
            repository, "run", PLAN, "--model", MODEL, "--budget", "10", "--no-sandbox", "--json"
        )
    assert ended.code == 5
    assert {task["reason"] for task in ended.json["tasks"]} == {"model_denied"}
    left = [p for p in (repository / ".ai-workspace").rglob("*") if p.is_file()]
    assert left
    assert not [p for p in left if KEY.encode() in p.read_bytes()]
    assert KEY not in ended.out + ended.err
    log = map(json.loads, fanfold(repository, "events", "--attempts").out.splitlines())
    read = [event["data"] for event in log if event["event_type"] == "access_decided"]
    assert {(r["operation"], r["subject"], r["by"], r["allowed"]) for r in read} == {
        ("secret.read", "ANTHROPIC_API_KEY", "fanfold", True)
    }
    shown = fanfold(repository, "show", "", "1.1").out
    assert "  allowed secret.read ANTHROPIC_API_KEY\n" in f"{shown}\n"


def unmarked(message: dict[str, Any]) -> dict[str, Any]:
    """The message without cache breakpoints, which move."""
    blocks = [{k: v for k, v in b.items() if k != "cache_control"} for b in message["content"]]
    return {**message, "content": blocks}
