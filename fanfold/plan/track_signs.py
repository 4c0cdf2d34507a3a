"""The signs by which a list of tracks says how far a track is: `[x]`, or ✅ and maybe a word."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from fanfold.plan.model import TaskState

if TYPE_CHECKING:
    from collections.abc import Iterator

OPEN, BEGUN, DONE = TaskState.OPEN, TaskState.IN_PROGRESS, TaskState.DONE
_LETTERS = {" ": OPEN, "~": BEGUN, "x": DONE, "X": DONE, "!": TaskState.BLOCKED}
_LETTER_OF = {BEGUN: "~", DONE: "x"}
_EMOJI = {OPEN: "⬜⚪📋🔲🆕🔜", BEGUN: "🚧🔄🏗⏳🟡▶", DONE: "✅✔☑🟢"}
_WORDS = {
    OPEN: "not started|open|to ?do|pending|planned|new|queued|backlog",
    BEGUN: "in progress|active|started|ongoing|wip",
    DONE: "completed?|done|finished",
}
_USUAL = {BEGUN: ("🚧", "In progress"), DONE: ("✅", "Done")}
_STATE_OF = {sign: state for state, signs in _EMOJI.items() for sign in signs}
_ANY_EMOJI = "".join(_STATE_OF)
_ANY_WORD = "|".join(_WORDS.values()).replace(" ", r"\ ")
_PATTERN = re.compile(
    rf"""\[(?P<letter>[ ~xX!-])\]
    | (?:^\s*(?:[-*+]|\#+)\s+|\|\s*|Status\W*:\W*)
      (?P<shown>(?P<emoji>[{_ANY_EMOJI}])\ufe0f?(?:\ (?P<word>{_ANY_WORD})(?=\s*(?:\||$)))?)""",
    re.IGNORECASE | re.VERBOSE,
)


class Sign(NamedTuple):
    """What stands at `start` to `end` of a line and says that a track is in `state`."""

    start: int
    end: int
    state: TaskState
    emoji: str = ""
    word: str = ""


def sign_of(line: str) -> Sign | None:
    """The first sign of a line; an emoji is one at its beginning, in a cell or after `Status:`."""
    return next(_signs(line), None)


def replacement(sign: Sign, state: TaskState, lines: list[str]) -> str:
    """What says `state`, done or begun, in the way of `sign`; an emoji as the list has it."""
    if not sign.emoji:
        return _LETTER_OF[state]
    others = (other for line in lines for other in _signs(line) if other.state is state)
    used = next((other for other in others if bool(other.word) == bool(sign.word)), None)
    emoji, word = (used.emoji, used.word) if used else _USUAL[state]
    return f"{emoji} {word}" if sign.word else emoji


def _signs(line: str) -> Iterator[Sign]:
    for found in _PATTERN.finditer(line):
        if found["letter"] is not None:
            state = _LETTERS.get(found["letter"], TaskState.SKIPPED)
            yield Sign(found.start("letter"), found.end("letter"), state)
        else:
            state, word = _STATE_OF[found["emoji"]], found["word"] or ""
            yield Sign(found.start("shown"), found.end("shown"), state, found["emoji"], word)
