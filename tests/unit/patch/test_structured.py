"""The ladder: each rung settles its kind of clash; what no longer parses is no result."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold.patch.attributes import Driver
from fanfold.patch.content import Resolved, Text
from fanfold.patch.structured import settle
from fanfold.patch.three_way import merge_text


def settled(path: str, base: str, ours: str, theirs: str) -> Resolved | None:
    return settle(Text(path, base.encode(), ours.encode(), theirs.encode(), Driver()))


def test_a_side_that_only_trimmed_line_ends_gives_way() -> None:
    result = settled("a.txt", "one \ntwo\n", "one\ntwo\n", "ONE \ntwo\n")
    assert result == Resolved(b"ONE \ntwo\n", ("whitespace",))


def test_a_side_that_changed_every_line_end_keeps_them() -> None:
    result = settled("a.bat", "one\ntwo\n", "one\r\ntwo\r\n", "ONE\ntwo\n")
    assert result == Resolved(b"ONE\r\ntwo\r\n", ("line_ends",))


def test_changes_of_neighbouring_lines_are_both_taken() -> None:
    result = settled("a.txt", "one\ntwo\n", "ONE\ntwo\n", "one\nTWO\n")
    assert result == Resolved(b"ONE\nTWO\n", ("adjacent_lines",))


def test_the_same_change_on_both_sides_counts_once() -> None:
    result = settled("a.txt", "one\ntwo\nthree\n", "ONE\nTWO\nthree\n", "ONE\ntwo\nTHREE\n")
    assert result == Resolved(b"ONE\nTWO\nTHREE\n", ("adjacent_lines",))


def test_words_of_one_line_merge() -> None:
    result = settled("a.py", "x = f(a, b)\n", "x = g(a, b)\n", "x = f(a, b, c)\n")
    assert result == Resolved(b"x = g(a, b, c)\n", ("tokens",))


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        ("version = 1.2.3\n", "version = 1.3.0\n", "version = 1.2.4\n"),
        ("tool==1.2.3\n", "tool==1.2.30\n", "tool==1.20.3\n"),
        ("x = f(a)\n", "x = f(a, b)\n", "x = f(a, c)\n"),
        ("one\n", "two\n", "three\n"),
        ("", "x = 1\n", "x = 2\n"),
    ],
)
def test_what_only_a_person_can_tell_stays_a_conflict(base: str, ours: str, theirs: str) -> None:
    assert settled("a.py", base, ours, theirs) is None


def test_imports_of_both_sides_are_kept_in_their_order() -> None:
    base = "import a\nimport d\n\nx = 1\n"
    result = settled(
        "a.py",
        base,
        base.replace("import d", "import b\nimport d"),
        base.replace("import d", "import c\nimport d"),
    )
    assert result == Resolved(b"import a\nimport b\nimport c\nimport d\n\nx = 1\n", ("imports",))


def test_names_that_both_sides_import_from_one_module_are_united() -> None:
    result = settled(
        "a.py", "from m import b, d\n", "from m import a, b, d\n", "from m import b, c\n"
    )
    assert result == Resolved(b"from m import a, b, c\n", ("imports",))


def test_names_in_an_import_list_are_united() -> None:
    base = "from m import (\n    a,\n    e,\n)\n"
    result = settled(
        "a.py", base, base.replace("    e", "    b,\n    e"), base.replace("    e", "    d,\n    e")
    )
    assert result == Resolved(
        b"from m import (\n    a,\n    b,\n    d,\n    e,\n)\n", ("list_entries",)
    )


def test_arguments_are_no_list() -> None:
    base = "f(\n    a,\n)\n"
    assert settled("a.py", base, "f(\n    a,\n    b,\n)\n", "f(\n    a,\n    c,\n)\n") is None


def test_a_changelog_keeps_both_entries_whole_and_none_twice() -> None:
    base = "Changes\n\n- old\n"
    ours = "Changes\n\n- same\n- ours, over\n  two lines\n- old\n"
    theirs = "Changes\n\n- same\n- theirs\n- old\n"
    result = settled("CHANGES.md", base, ours, theirs)
    assert result is not None
    assert result.data == b"Changes\n\n- same\n- ours, over\n  two lines\n- theirs\n- old\n"


def test_definitions_added_at_one_place_are_both_kept() -> None:
    base = "x = 1\n"
    ours = "x = 1\n\n\ndef one():\n    return 1\n"
    theirs = "x = 1\n\n\ndef two():\n    return 2\n"
    result = settled("a.py", base, ours, theirs)
    assert result == Resolved(
        b"x = 1\n\n\ndef one():\n    return 1\n\n\ndef two():\n    return 2\n", ("definitions",)
    )


def test_two_definitions_of_one_name_stay_a_conflict() -> None:
    ours = "x = 1\n\n\ndef one():\n    return 1\n"
    assert settled("a.py", "x = 1\n", ours, ours.replace("return 1", "return 2")) is None


def test_a_result_that_does_not_parse_is_none() -> None:
    assert settled("a.json", '{\n"a": 1\n}\n', '{\n"b": 1\n}\n', '{\n"a": 1, "b": 2\n}\n') is None
    assert settled("a.toml", "[a]\nx = 1\n", "[b]\nx = 1\n", "[a]\nx = 1\n[b]\ny = 1\n") is None
    assert settled("a.py", "if a:\n  b\n", "if a:\n    b\n", "if (a\n  b\n") is None


def test_a_lock_file_is_never_merged_by_rule() -> None:
    sides = ("one\ntwo\n", "ONE\ntwo\n", "one\nTWO\n")
    assert settled("a.txt", *sides) is not None
    assert settled("sub/uv.lock", *sides) is None


def test_a_last_line_without_newline_stays_so() -> None:
    result = settled("a.txt", "one\ntwo", "ONE\ntwo", "one\nTWO")
    assert result == Resolved(b"ONE\nTWO", ("adjacent_lines",))


LINES = st.lists(st.sampled_from(["import a\n", "def f():\n", "    pass\n", "\n", "x,\n", "- y\n"]))


@settings(max_examples=150, deadline=None)
@given(LINES, LINES, LINES)
def test_no_line_appears_from_nowhere_and_no_agreed_change_is_lost(
    base: list[str], ours: list[str], theirs: list[str]
) -> None:
    one, two, three = ("".join(side).encode() for side in (base, ours, theirs))
    merged = merge_text(one, two, three)
    result = settle(Text("a.txt", one, two, three, Driver()))
    if merged.clean:
        assert result == Resolved(merged.data, ())
    elif result is not None:
        known = {line for side in (base, ours, theirs) for line in side}
        assert {f"{line}\n" for line in result.data.decode().splitlines()} <= known
        assert b"<<<" not in result.data
