"""The marks and SHAs of a plan's lines: how they are read and how they are written."""

from __future__ import annotations

import re

import msgspec

from fanfold.errors import InvalidPlan
from fanfold.plan.model import Span, TaskState

STATES = {
    " ": TaskState.OPEN,
    "~": TaskState.IN_PROGRESS,
    "x": TaskState.DONE,
    "X": TaskState.DONE,
    "!": TaskState.BLOCKED,
    "-": TaskState.SKIPPED,
}
MARKS = {state: mark for mark, state in STATES.items() if mark != "X"}

_BOX = rb"\[([^\[\]\r\n]{0,8})\]"
_ITEM = re.compile(rb"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+" + _BOX)
_HEADING = re.compile(rb" {0,3}(#{1,6})(?:[ \t]+|$)")
_HEADING_BOX = re.compile(_BOX)

_HEX = r"[0-9a-f]{7,40}"
_SQUARE_SHA = re.compile(rf"\[(?:checkpoint:[ \t]*)?({_HEX})\]")
_ROUND_SHA = re.compile(rf"\(({_HEX})\)")
_CODE_SHA = re.compile(rf"`({_HEX})`")
_BARE_SHA = re.compile(_HEX)
_COMMENT_SHA = re.compile(rf"<!--[ \t]*({_HEX})[ \t]*-->")
_FORMS = {"[": _SQUARE_SHA, "(": _ROUND_SHA, "`": _CODE_SHA}
_CHECKPOINT = re.compile(r"\[checkpoint:[ \t]*([^\[\]]{0,80}?)[ \t]*\]", re.IGNORECASE)


class Place(msgspec.Struct, frozen=True):
    """Where a line stands, and what may stand in brackets there without being a mark."""

    path: str
    line: int
    tags: frozenset[str] = frozenset()


class Item(msgspec.Struct, frozen=True):
    """A checkbox: where its mark stands in the line, and where the text behind it begins."""

    mark: Span
    state: TaskState
    text: int


class Heading(msgspec.Struct, frozen=True):
    """A heading: its level, the offset of its text, and the checkbox before that text, if any."""

    level: int
    text: int
    item: Item | None


class Sha(msgspec.Struct, frozen=True):
    """A SHA that ends a text: where its hex digits stand, and where its brackets begin."""

    hex: str
    start: int
    end: int
    outer: int


def item(raw: bytes, place: Place) -> Item | None:
    """The checkbox that begins the list item `raw`. Raises InvalidPlan for a mark that is none."""
    match = _ITEM.match(raw)
    return None if match is None else _box(raw, match, place)


def heading(raw: bytes, place: Place) -> Heading | None:
    """The heading that `raw` is. Raises InvalidPlan for a mark that is none."""
    match = _HEADING.match(raw)
    if match is None:
        return None
    box = _HEADING_BOX.match(raw, match.end())
    found = None if box is None else _box(raw, box, place)
    return Heading(len(match[1]), found.text if found else match.end(), found)


def _box(raw: bytes, match: re.Match[bytes], place: Place) -> Item | None:
    """Tell a checkbox from a link or a tag such as `[P0]`, which is longer than a mark."""
    content = match[1].decode("utf-8", "replace")
    follows = raw[match.end() : match.end() + 1]
    if content in STATES and follows not in (b"(", b"[", b":"):
        return Item(Span(match.start(1), match.end(1)), STATES[content], match.end())
    lone = len(content.strip()) <= 1 and content not in place.tags
    if lone and follows in (b"", b" ", b"\t"):
        known = " ".join(f"[{mark}]" for mark in MARKS.values())
        raise InvalidPlan(
            place.path, place.line, f"unknown mark '[{content}]'; a mark is one of {known}"
        )
    return None


def trailing_sha(text: str) -> Sha | None:
    """The SHA that ends `text`: bare, [hex], (hex), `hex`, <!-- hex --> or [checkpoint: hex].

    Outside square brackets it needs a digit and a letter, so that a date, a number or a word is
    never taken for one.
    """
    text = text.rstrip()
    if text.endswith("-->"):
        return _sha(_COMMENT_SHA, text, text.rfind("<!--"))
    if text[-1:] in "])`" and len(text) > 1:
        opening = {"]": "[", ")": "(", "`": "`"}[text[-1]]
        found = _sha(_FORMS[opening], text, text.rfind(opening, 0, len(text) - 1))
        return found if opening == "[" or (found and _telling(found.hex)) else None
    start = max(text.rfind(" "), text.rfind("\t")) + 1
    found = _sha(_BARE_SHA, text, start) if start else None
    return found if found and _telling(found.hex) else None


def _sha(form: re.Pattern[str], text: str, start: int) -> Sha | None:
    match = form.fullmatch(text, start) if start >= 0 else None
    if match is None:
        return None
    group = match.lastindex or 0
    return Sha(match[group], match.start(group), match.end(group), start)


def _telling(hexadecimal: str) -> bool:
    return not hexadecimal.isdigit() and not hexadecimal.isalpha()


def without_shas(text: str) -> tuple[str, str | None]:
    """`text` without the SHAs at its end, and the last of them."""
    last: str | None = None
    while found := trailing_sha(text):
        last = last or found.hex
        text = text[: found.outer].rstrip()
    return text, last


def checkpoint(text: str) -> re.Match[str] | None:
    """The `[checkpoint: …]` of a phase's heading; group 1 is what it says."""
    return _CHECKPOINT.search(text)


def write_sha(line: str, sha: str, form: str, *, replace: bool) -> str:
    """`line` with the SHA in the place of its old one, or appended in `form` (`"{}"`, `"[{}]"`)."""
    old = trailing_sha(line)
    if old and replace:
        return line[: old.start] + sha + line[old.end :]
    body = line.rstrip()
    shown = form.format(sha) if _telling(sha) else f"[{sha}]"
    return f"{body} {shown}{line[len(body) :]}"


def sha_form(text: str) -> str:
    """The form in which `text` ends with a SHA, as a format string; empty where it has none."""
    found = trailing_sha(text)
    if found is None:
        return ""
    return {"]": "[{}]", ")": "({})", "`": "`{}`", ">": "<!-- {} -->"}.get(text.rstrip()[-1], "{}")
