"""An edit that fails in a long file says so soon, and in few words."""

from __future__ import annotations

import time

import pytest

from fanfold.agent.tools import TOOLS
from fanfold.agent.tools.base import ToolFailure
from fanfold.agent.tools.bench import Bench
from tests.fakes.workspace import MemoryWorkspace


def failure(text: str, old: str) -> str:
    on = Bench(MemoryWorkspace({"a": text}), command_s=1, max_file_bytes=10**7)
    tool = TOOLS["edit"]
    arguments = tool.parse({"file_path": "a", "old_string": old, "new_string": "new"})
    with pytest.raises(ToolFailure) as raised:
        tool.run(on, arguments)
    return str(raised.value)


def test_of_many_places_the_first_are_told() -> None:
    said = failure("x = 1\n" * 20_000, "x =")
    assert "matches 20000 times, at lines 1, 2, 3" in said
    assert "19, 20, …; add surrounding lines" in said
    assert len(said) < 500


@pytest.mark.parametrize(
    ("text", "old"),
    [
        ("a\n" * 500_000, "a\n"),
        ("a\n" * 500_000, "a\n" * 5_000 + "b\n"),
        ("  a\n" * 500_000, "a\n" * 5_000),
        ("a " * 500_000, "a " * 5_000 + "b"),
    ],
    ids=["everywhere", "nearly everywhere", "indented everywhere", "one line"],
)
def test_a_repetitive_file_holds_nobody_up(text: str, old: str) -> None:
    started = time.process_time()
    assert len(failure(text, old)) < 25_000
    assert time.process_time() - started < 5
