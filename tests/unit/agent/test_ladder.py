"""The edit ladder: where an edit goes, and that it never touches anything else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold.agent.tools.ladder import NoMatch, edit

FILE = "def f():\n    a = 1  \n    return a\n\n\ndef g():\n    return 2\n"


def test_exact_and_unique() -> None:
    edited = edit(FILE, "return 2", "return 3")
    assert edited.text == FILE.replace("return 2", "return 3")
    assert (edited.line, edited.rung) == (7, "exact")


def test_duplicates_are_named_by_line() -> None:
    with pytest.raises(NoMatch) as miss:
        edit(FILE, "return", "yield")
    assert miss.value.lines == (3, 7)


def test_replace_all() -> None:
    edited = edit(FILE, "return", "yield", replace_all=True)
    assert (edited.text, edited.count) == (FILE.replace("return", "yield"), 2)


def test_trailing_space_is_forgiven_and_kept_where_the_line_stays() -> None:
    edited = edit(FILE, "    a = 1\n    return a\n", "    a = 1\n    return a + 1\n")
    assert edited.rung == "trailing space"
    assert edited.text == FILE.replace("return a\n", "return a + 1\n")


def test_indentation_is_forgiven_and_the_new_text_moved() -> None:
    edited = edit(FILE, "a = 1\nreturn a\n", "a = 1\nif a:\n    return a\n")
    assert edited.rung == "indentation"
    assert edited.text == FILE.replace("    return a\n", "    if a:\n        return a\n")


def test_indentation_between_lines_must_agree() -> None:
    with pytest.raises(NoMatch):
        edit("if a:\n    b\n    c\n", "if a:\nb\nc\n", "x\n")


def test_unicode_punctuation_is_forgiven_and_kept_where_the_line_stays() -> None:
    text = "It\u2019s \u201cfine\u201d \u2014 really\nnext\n"
    edited = edit(text, 'It\'s "fine" - really\nnext', 'It\'s "fine" - really\nlast')
    assert edited.rung == "punctuation"
    assert edited.text == "It\u2019s \u201cfine\u201d \u2014 really\nlast\n"


def test_a_forgiven_match_must_be_unique() -> None:
    with pytest.raises(NoMatch) as miss:
        edit("x = 1 \ny\nx = 1\t\ny\n", "x = 1\ny\n", "z\n")
    assert miss.value.lines == (1, 3)


def test_blank_lines_alone_never_match_by_forgiving() -> None:
    with pytest.raises(NoMatch):
        edit("a\n\t\n\nb\n", "  \n  \n", "x\n")


def test_windows_line_ends_stay() -> None:
    edited = edit("a\r\nb\r\nc\r\n", "a\nb\n", "a\nx\ny\n")
    assert edited.text == "a\r\nx\r\ny\r\nc\r\n"


def test_mixed_line_ends_stay_outside_the_edit() -> None:
    edited = edit("a\r\nb\nc\n", "a\nb", "a\nx")
    assert edited.text == "a\r\nx\r\nc\n"


def test_deleting_lines_leaves_no_gap() -> None:
    assert edit("a\n  b \nc\n", "  b\n", "").text == "a\nc\n"


LINE = st.text("ab \t(\u201c", max_size=6)
TEXT = st.lists(LINE, max_size=12).map("\n".join)


@settings(max_examples=60, deadline=None)
@given(TEXT, st.data())
def test_an_exact_edit_is_what_replace_does(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    old = text[start : data.draw(st.integers(start, len(text)))]
    new = data.draw(TEXT)
    if old and text.count(old) == 1:
        assert edit(text, old, new).text == text.replace(old, new)


@settings(max_examples=120, deadline=None)
@given(TEXT, TEXT.filter(bool), TEXT)
def test_an_edit_changes_one_run_of_lines_or_nothing(text: str, old: str, new: str) -> None:
    try:
        edited = edit(text, old, new)
    except NoMatch:
        return
    size = old.removesuffix("\n").count("\n") + 1
    before, after = text.split("\n"), edited.text.split("\n")
    at = edited.line - 1
    assert after[:at] == before[:at]
    tail = before[at + size :]
    if old.endswith("\n") and not new.endswith("\n") and edited.rung == "exact":
        tail = tail[1:]
    assert not tail or after[-len(tail) :] == tail


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["x", "y = 1", "if z:", "    w", "", "\tq"]), min_size=3, max_size=9)
)
def test_forgiven_space_gives_what_the_exact_edit_gives(lines: list[str]) -> None:
    marked = ["unique start", *lines, "unique end"]
    text = "\n".join(["top", *marked, "bottom", ""])
    new = [*marked[:1], "fresh", *marked[1:]]
    exact = edit(text, "\n".join(marked), "\n".join(new)).text
    sloppy = edit(text, " \n".join(marked), "\n".join(new)).text
    shifted = edit(text, _in(marked), _in(new)).text
    assert exact == sloppy == shifted


def _in(lines: list[str]) -> str:
    return "\n".join(f"  {line}" if line else "" for line in lines)
