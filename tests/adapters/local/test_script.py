"""Which turns an attempt gets, and scripts as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fanfold.adapters.local.script import (
    Call,
    Conversation,
    Part,
    Script,
    Turn,
    say,
    submit,
    write_and_submit,
)
from fanfold.adapters.local.scripted_model import scripted
from fanfold.errors import InvalidSettings, ModelRejected
from fanfold.ports import ModelRequest
from fanfold.run.attempt import AttemptLimits, Context, Purpose, TaskText

OPENING = ModelRequest("m", [], [], [{"role": "user", "content": "Begin."}], 100)


def context(number: int = 1, purpose: Purpose = Purpose.WORK) -> Context:
    return Context(
        run_id="r1",
        attempt=f"1.2-1.3.{number}",
        unit="1.2-1.3",
        role="implementer",
        purpose=purpose,
        base_tree="",
        tasks=(TaskText("1.2", "Add `login`"), TaskText("1.3", "Add  Logout")),
        limits=AttemptLimits(slice=1),
        model="m",
    )


def part(task: str, words: str, purpose: Purpose | None = None, number: int | None = None) -> Part:
    return Part(task, (say(words),), purpose, number)


@pytest.mark.parametrize("name", ["1.2-1.3", "1.3", "Add `login`", "add logout", "*"])
def test_attempt_is_named_by_unit_task_or_title(name: str) -> None:
    assert Script.of({name: [say("hi")]}).turns_for(context()) == (say("hi"),)


@pytest.mark.parametrize("name", ["1", "login", "Add", ""])
def test_part_of_a_name_names_nothing(name: str) -> None:
    assert Script.of({name: [say("hi")]}).turns_for(context()) is None


@pytest.mark.parametrize(
    ("number", "purpose", "words"),
    [
        (1, Purpose.WORK, "any"),
        (2, Purpose.WORK, "second"),
        (1, Purpose.REPAIR, "repair"),
        (3, Purpose.REPAIR, "third repair"),
        (2, Purpose.REPAIR, "repair"),
    ],
)
def test_closest_part_is_played(number: int, purpose: Purpose, words: str) -> None:
    script = Script(
        [
            part("*", "stranger", Purpose.REPAIR, 3),
            part("1.2", "any"),
            part("1.2", "also any"),
            part("1.2", "second", number=2),
            part("1.2", "repair", Purpose.REPAIR),
            part("1.2", "third repair", Purpose.REPAIR, 3),
        ]
    )
    assert script.turns_for(context(number, purpose)) == (say(words),)


def test_of_takes_names_with_purpose_and_number() -> None:
    script = Script.of({("1.2", Purpose.WORK, 2): [say("again")], "1.2": [say("first")]})
    assert script.turns_for(context(1)) == (say("first"),)
    assert script.turns_for(context(2)) == (say("again"),)


def test_attempt_without_a_part_is_rejected_by_name() -> None:
    model = scripted(Script([]))(context())
    with pytest.raises(ModelRejected, match=r"'1\.2-1\.3'.*1\.2-1\.3\.1"):
        model.send(OPENING, timeout_s=1)


def test_attempts_have_ids_of_their_own_and_the_same_on_every_machine() -> None:
    models = scripted(Script.of({"*": [submit()]}))
    first, second = (models(context(number)).send(OPENING, timeout_s=1) for number in (1, 2))
    again = models(context(1)).send(OPENING, timeout_s=1)
    assert first == again
    assert first.message_id != second.message_id
    assert first.content[0]["id"] != second.content[0]["id"]


def test_delay_is_slept() -> None:
    slept: list[float] = []
    models = scripted(Script.of({"*": [Turn("slow", delay_s=1.5)]}), slept.append)
    assert models(context()).send(OPENING, timeout_s=1).latency_ms == 1500
    assert slept == [1.5]


def test_conversation_shows_the_results_of_the_last_turn() -> None:
    blocks: list[dict[str, Any]] = [
        {"type": "tool_result", "tool_use_id": "1", "content": "fine"},
        {
            "type": "tool_result",
            "tool_use_id": "2",
            "content": [{"type": "text", "text": "broken"}],
            "is_error": True,
        },
        {"type": "text", "text": "a nudge"},
    ]
    reply: dict[str, Any] = {"role": "assistant", "content": []}
    messages = [*OPENING.messages, reply]
    seen = Conversation(
        ModelRequest("m", [], [], [*messages, {"role": "user", "content": blocks}], 1)
    )
    assert seen.turn == 1
    assert [(result.text, result.is_error) for result in seen.results] == [
        ("fine", False),
        ("broken", True),
    ]
    assert Conversation(OPENING).results == ()


def test_json_says_turns_or_files() -> None:
    form = {
        "schema": 1,
        "attempts": [
            {"task": "1.2", "files": {"a.txt": "A\n"}, "submit": "Wrote a."},
            {
                "purpose": "repair",
                "number": 2,
                "turns": [
                    {"text": "Hm.", "calls": [{"name": "read", "input": {"file_path": "a.txt"}}]},
                    {"text": "Enough.", "stop_reason": "refusal"},
                ],
            },
        ],
    }
    script = Script.from_json(json.dumps(form).encode())
    assert script.turns_for(context()) == write_and_submit({"a.txt": "A\n"}, "Wrote a.")
    repair = script.find({"other"}, Purpose.REPAIR, 2)
    read = Call("read", {"file_path": "a.txt"})
    assert repair == (Turn("Hm.", (read,)), Turn("Enough.", stop_reason="refusal"))


@pytest.mark.parametrize(
    ("form", "place"),
    [
        (b"", "truncated"),
        (b"{}", "attempts"),
        (b'{"attempts": [{"tsk": "1"}]}', "$.attempts[0]"),
        (b'{"attempts": [{"turns": [{"calls": [{"input": {}}]}]}]}', "turns[0].calls[0]"),
        (b'{"attempts": [{"purpose": "fun"}]}', "$.attempts[0].purpose"),
        (b'{"attempts": [], "schema": 2}', "schema"),
    ],
)
def test_json_that_is_no_script_is_refused_with_its_place(form: bytes, place: str) -> None:
    with pytest.raises(InvalidSettings) as raised:
        Script.from_json(form)
    assert str(raised.value).startswith("model script: ")
    assert place in str(raised.value)
