"""Marking tracks in the list of tracks: one character changes, wherever the mark stands."""

from __future__ import annotations

import pytest

from fanfold.plan.model import TaskState
from fanfold.plan.track_list import carry_over, mark

IDS = ("a", "b")
SHAPES = {
    "list": "- [ ] **Track: First**\n  *Link: [./tracks/a/](./tracks/a/)*\n- [ ] **Track: B**\n",
    "heading": "## [ ] Track: First\n*Link: [./conductor/tracks/a/](./conductor/tracks/a/)*\n",
    "ids": "- [ ] a - First [0a1b2c3]\n  - Depends on: b\n- [ ] b\n",
    "bold ids": "- [ ] **a** - First\n  - Type: Feature\n- [ ] **b**\n",
    "table": "| Status | Track ID | Depends on |\n|---|---|---|\n| [ ] | a | b |\n| [ ] | b | |\n",
    "blocked by": "| Track | Blocked By | Done |\n|---|---|---|\n| a | b | [ ] |\n| b | | [ ] |\n",
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_one_mark_of_every_shape(shape: str, newline: str) -> None:
    data = SHAPES[shape].replace("\n", newline).encode()
    for state, sign in ((TaskState.DONE, b"[x]"), (TaskState.IN_PROGRESS, b"[~]")):
        assert mark(data, "a", IDS, state) == data.replace(b"[ ]", sign, 1)


@pytest.mark.parametrize(
    "text",
    [
        "| a | b |\n| b | ✅ Done | - |\n",
        "- Nothing ⬜ of a\n",
        "## Track: First\n[./tracks/a/](./tracks/a/)\n",
        "- [ ] b\n  - Depends on: a\n",
        "- [ ] `[ ]` means open\n\n# Tracks\n\na\n",
        "- [ ] **Track: B**\n  *Link: ./tracks/b/*\n\na\n",
        "",
    ],
)
def test_a_list_without_a_mark_of_the_track_stays(text: str) -> None:
    assert mark(text.encode(), "a", IDS, TaskState.DONE) == text.encode()


@pytest.mark.parametrize(
    ("before", "state", "after"),
    [
        ("| a | 🚧 Active | b |\n", TaskState.DONE, "| a | ✅ Done | b |\n"),
        ("| a | 🏗\ufe0f | b |\n", TaskState.DONE, "| a | ✅ | b |\n"),
        ("- ⬜ a - First\n", TaskState.IN_PROGRESS, "- 🚧 a - First\n"),
        ("## 📋 Planned Track: a\n", TaskState.DONE, "## ✅ Planned Track: a\n"),
        ("| a | ✅ Done |\n", TaskState.IN_PROGRESS, "| a | ✅ Done |\n"),
        (
            "| b | 🟢 Completed |\n| a | 🟡 In Progress |\n",
            TaskState.DONE,
            "| b | 🟢 Completed |\n| a | 🟢 Completed |\n",
        ),
    ],
)
def test_an_emoji_and_its_word_are_a_mark(before: str, state: TaskState, after: str) -> None:
    assert mark(before.encode(), "a", IDS, state).decode() == after


@pytest.mark.parametrize("shape", SHAPES)
def test_marks_are_carried_over_to_a_list_that_was_edited(shape: str) -> None:
    then = SHAPES[shape].encode()
    marked = mark(then, "a", IDS, TaskState.DONE)
    now = b"An introduction.\n\n" + then + b"\n- [ ] c - Third\n"
    assert carry_over(then, marked, now, IDS) == now.replace(b"[ ]", b"[x]", 1)
    assert carry_over(then, then, now, IDS) == now


@pytest.mark.parametrize(
    ("before", "state", "after"),
    [
        (b"- [~] a", TaskState.DONE, b"- [x] a"),
        (b"- [!] a", TaskState.DONE, b"- [x] a"),
        (b"- [-] a", TaskState.DONE, b"- [-] a"),
        (b"- [x] a", TaskState.IN_PROGRESS, b"- [x] a"),
        (b"\xff\xfe\n- [ ] a\n\xff", TaskState.DONE, b"\xff\xfe\n- [x] a\n\xff"),
    ],
)
def test_what_a_mark_becomes(before: bytes, state: TaskState, after: bytes) -> None:
    assert mark(before, "a", IDS, state) == after
