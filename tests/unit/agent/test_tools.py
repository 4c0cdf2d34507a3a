"""The tools one by one, as the model meets them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.agent.tools import TOOLS
from fanfold.agent.tools.base import Result, ToolFailure
from fanfold.agent.tools.bench import Bench
from fanfold.agent.tools.pattern import Pattern
from fanfold.agent.tools.spill import HEAD, TAIL, Spill, elide
from fanfold.errors import WorkspaceError
from fanfold.ports import CommandResult
from tests.fakes.workspace import MemoryWorkspace

FILES = {
    "src/a.py": "import os\n\ndef f():\n    return 1\n",
    "src/b.py": "def g():\n    return 2",
    "docs/x.md": "# Title\r\nreturn\r\n",
    "bin/tool": b"\x7fELF\0\0",
    "latin.txt": b"caf\xe9 one\nb\n",
    "empty": "",
    "secrets/key": "return",
}


def bench(shell: Any = None, **changes: Any) -> Bench:
    fields: dict[str, Any] = {"command_s": 60, "max_file_bytes": 1_000, "denied": ["secrets/**"]}
    return Bench(MemoryWorkspace(FILES, shell), **{**fields, **changes})


def call(on: Bench, name: str, **arguments: Any) -> Result:
    tool = TOOLS[name]
    return tool.run(on, tool.parse(arguments))


def test_definitions_have_the_shapes_that_models_know() -> None:
    shapes = {
        name: (sorted(schema["properties"]), sorted(schema["required"]))
        for name, tool in TOOLS.items()
        if (schema := tool.definition()["input_schema"])
    }
    assert shapes == {
        "read": (["file_path", "view_range"], ["file_path"]),
        "write": (["content", "file_path"], ["content", "file_path"]),
        "edit": (
            ["file_path", "new_string", "old_string", "replace_all"],
            ["file_path", "new_string", "old_string"],
        ),
        "glob": (["path", "pattern"], ["pattern"]),
        "grep": (["glob", "path", "pattern"], ["pattern"]),
        "bash": (["command", "timeout_ms"], ["command"]),
        "submit": (
            ["choice", "confidence", "status", "summary", "task", "tests_run"],
            ["status", "summary"],
        ),
    }
    assert "choice" not in TOOLS["submit"].definition(("choice",))["input_schema"]["properties"]
    assert "$ref" not in str([tool.definition() for tool in TOOLS.values()])


def test_read_numbers_the_first_line_and_every_tenth() -> None:
    on = bench()
    on.workspace.write("long.txt", "".join(f"line {n}\n" for n in range(1, 31)).encode())
    shown = call(on, "read", file_path="long.txt", view_range=[8, 21]).text.split("\n")
    assert [shown[i] for i in (0, 1, 2, 3, 12)] == [
        "8\tline 8",
        "\tline 9",
        "10\tline 10",
        "\tline 11",
        "20\tline 20",
    ]
    result = call(bench(), "read", file_path="./src//a.py")
    assert result.text.split("\n")[3] == "\t    return 1"
    assert result.read == ("src/a.py",)


@pytest.mark.parametrize(
    ("span", "first", "count"), [([2, 3], 2, 2), ([3, -1], 3, 2), ([4, 99], 4, 1), ([1, 1], 1, 1)]
)
def test_read_a_range(span: list[int], first: int, count: int) -> None:
    text = call(bench(), "read", file_path="src/a.py", view_range=span).text
    assert [line.split("\t")[0] for line in text.split("\n")] == [str(first), *[""] * (count - 1)]


@pytest.mark.parametrize("span", [[0, 2], [3, 2], [9, 12], [1], [1, 2, 3]])
def test_read_says_what_is_wrong_with_a_range(span: list[int]) -> None:
    with pytest.raises(ToolFailure, match="view_range"):
        call(bench(), "read", file_path="src/a.py", view_range=span)


def test_read_of_a_long_file_says_how_to_go_on() -> None:
    on = bench()
    on.workspace.write("long.txt", b"x" * 80 + b"\n" + b"y\n" * 9_000)
    text = call(on, "read", file_path="long.txt").text
    assert len(text) < 21_000
    assert text.endswith("of 9001; read on with view_range]")


def test_read_of_binary_odd_empty_and_absent_files() -> None:
    on = bench()
    with pytest.raises(ToolFailure, match="binary file of 6 bytes"):
        call(on, "read", file_path="bin/tool")
    assert "caf\ufffd one" in call(on, "read", file_path="latin.txt").text
    assert call(on, "read", file_path="empty").text == "empty is empty."
    with pytest.raises(WorkspaceError, match="does not exist"):
        call(on, "read", file_path="nowhere")


def test_write_creates_replaces_and_tells_when_nothing_changes() -> None:
    on = bench()
    assert call(on, "write", file_path="new.py", content="a\nb").text == "Created new.py: 2 lines."
    assert call(on, "write", file_path="new.py", content="").text == "Replaced new.py: 0 lines."
    same = call(on, "write", file_path="src/b.py", content="def g():\n    return 2")
    assert "already has" in same.text
    assert same.written == ()


def test_write_tells_that_an_ignored_file_stays_behind() -> None:
    on = bench()
    on.workspace.files = list
    said = call(on, "write", file_path="build/x.log", content="").text
    assert said.endswith("ignored by git, so it will not be part of your patch.")


@pytest.mark.parametrize(
    ("content", "said"), [("x" * 1_001, "1001 bytes is above"), ("\ud800", "lone surrogate")]
)
def test_write_refuses_what_cannot_be_written(content: str, said: str) -> None:
    with pytest.raises(ToolFailure, match=said):
        call(bench(), "write", file_path="big", content=content)


def edit(on: Bench, path: str, old: str, new: str, **more: Any) -> Result:
    return call(on, "edit", file_path=path, old_string=old, new_string=new, **more)


def test_edit_changes_the_file_and_says_where() -> None:
    on = bench()
    result = edit(on, "src/a.py", "return 1", "return 9")
    assert result.text == "Edited src/a.py at line 4."
    assert on.read("src/a.py").endswith("return 9\n")


def test_edit_keeps_bytes_that_are_not_utf8() -> None:
    on = bench()
    edit(on, "latin.txt", " one", " two")
    assert on.workspace.read("latin.txt") == b"caf\xe9 two\nb\n"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("", "x", "old_string is empty"),
        ("return 1", "return 1", "are the same"),
        ("f", "h", "matches 2 times, at lines 3, 3"),
        ("return 7", "return 1", "at line 4: the edit seems to be applied already"),
        ("def f():\n    return 7", "z", "nearly the same:\n3\tdef f():\n\t    return 1"),
        ("def fff():", "z", "nearly the same:\n3\tdef f():"),
        ("quite another world", "z", "nor anything close"),
    ],
)
def test_edit_says_why_it_failed(old: str, new: str, said: str) -> None:
    with pytest.raises(ToolFailure) as failure:
        edit(bench(), "src/a.py", old, new)
    assert said in str(failure.value)


def test_the_third_failed_edit_of_a_file_gives_its_text() -> None:
    on = bench()
    said: list[str] = []
    for i in range(3):
        with pytest.raises(ToolFailure) as failure:
            edit(on, "src/a.py", f"absent {i}", "x")
        said.append(str(failure.value))
    assert ["It now reads" in text for text in said] == [False, False, True]
    assert said[2].endswith("\n\t    return 1")
    edit(on, "src/a.py", "return 1", "return 9")
    assert on.edit_failures == {}


@pytest.mark.parametrize(
    ("pattern", "path", "found"),
    [
        ("**/*.py", "", ["src/a.py", "src/b.py"]),
        ("*.py", "src", ["src/a.py", "src/b.py"]),
        ("*.py", "./src/", ["src/a.py", "src/b.py"]),
        ("*.py", "", []),
        ("src/?.py", ".", ["src/a.py", "src/b.py"]),
        ("**/key", "", []),
    ],
)
def test_glob(pattern: str, path: str, found: list[str]) -> None:
    text = call(bench(), "glob", pattern=pattern, path=path).text
    assert text == ("\n".join(found) or f"No file matches {pattern!r}.")


def test_glob_shows_two_hundred_paths_and_counts_the_rest() -> None:
    on = bench()
    for i in range(250):
        on.workspace.write(f"many/{i:03}.txt", b"")
    text = call(on, "glob", pattern="many/*").text
    assert text.count("\n") == 200
    assert text.endswith("[50 more; narrow the pattern]")


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"pattern": r"return \d"}, ["src/a.py\n4:    return 1", "src/b.py\n2:    return 2"]),
        ({"pattern": "return", "glob": "*.md"}, ["docs/x.md\n2:return"]),
        ({"pattern": "return", "path": "src/b.py"}, ["src/b.py\n2:    return 2"]),
        ({"pattern": "return", "path": "src", "glob": "**/a.*"}, ["src/a.py\n4:    return 1"]),
        ({"pattern": "caf"}, ["latin.txt\n1:caf\ufffd one"]),
        ({"pattern": "ELF"}, []),
    ],
)
def test_grep(arguments: dict[str, str], found: list[str]) -> None:
    text = call(bench(), "grep", **arguments).text
    assert text == ("\n".join(found) or f"No line matches {arguments['pattern']!r}.")


@pytest.mark.parametrize("name", ["glob", "grep"])
def test_a_search_below_nothing_says_so(name: str) -> None:
    with pytest.raises(ToolFailure, match="no file at or below 'lib'"):
        call(bench(), name, pattern="x", path="lib/")


def test_input_may_hold_nulls_and_numbers_as_text() -> None:
    text = call(bench(), "read", file_path="src/a.py", view_range=["3", "3"]).text
    assert text == "3\tdef f():"
    assert "def f" in call(bench(), "read", file_path="src/a.py", view_range=None).text


def test_grep_tells_a_bad_expression() -> None:
    with pytest.raises(ToolFailure, match="not a regular expression: "):
        call(bench(), "grep", pattern="(")


def test_grep_gives_up_on_an_expression_that_never_ends() -> None:
    pattern = Pattern("^(a|aa)+$", seconds=0.05)
    with pytest.raises(ToolFailure, match="takes too long; use a simpler pattern"):
        pattern.found_in("a" * 60 + "b")


def answering(output: str, exit_code: int = 0, *, timed_out: bool = False) -> Any:
    def answer(command: str, files: dict[str, bytes]) -> CommandResult:
        return CommandResult(exit_code, output, 0.1, timed_out)

    return answer


def test_bash_gives_output_and_exit_code() -> None:
    assert call(bench(answering("ok\n")), "bash", command="x").text == "ok\n[exit code 0]"
    failed = call(bench(answering("", 3)), "bash", command="x")
    assert (failed.text, failed.ok) == ("[exit code 3]", True)


@pytest.mark.parametrize(("asked", "given"), [(1_500, 1.5), (10**9, 60), (None, 60)])
def test_bash_is_held_to_its_time(asked: int | None, given: float) -> None:
    on = bench(answering("half", timed_out=True))
    more = {} if asked is None else {"timeout_ms": asked}
    text = call(on, "bash", command="make", **more).text
    assert text == f"half\n[stopped after {given:g} s: the time a command may take]"
    assert isinstance(on.workspace, MemoryWorkspace)
    assert on.workspace.commands == [("make", given)]


@pytest.mark.parametrize(
    ("command", "waits"),
    [
        ("sleep 5", True),
        ("make && sleep 1", True),
        ("echo asleep", False),
        ("while a; do sleep 1", True),
    ],
)
def test_bash_knows_when_it_waits(command: str, waits: bool) -> None:
    assert call(bench(answering("")), "bash", command=command).waiting is waits


def test_long_output_is_shortened_and_can_be_searched_whole() -> None:
    output = "\n".join(f"line {i}" for i in range(5_000))
    on = bench(answering(output))
    text = call(on, "bash", command="make").text
    assert f"{len(output) - HEAD - TAIL} characters left out" in text
    assert ".fanfold/output/1.txt" in text
    found = call(on, "grep", pattern="line 2500$", path=".fanfold/output/1.txt").text
    assert found == ".fanfold/output/1.txt\n2501:line 2500"
    assert (
        "line 2500"
        in call(on, "read", file_path=".fanfold/output/1.txt", view_range=[2501, 2501]).text
    )
    assert ".fanfold" not in call(on, "glob", pattern="**").text
    assert ".fanfold/output/1.txt" not in on.workspace.files()


@given(st.text(max_size=400), st.integers(0, 100), st.integers(0, 100))
def test_eliding_keeps_head_and_tail_and_counts_the_rest(text: str, head: int, tail: int) -> None:
    short = elide(text, head, tail)
    if len(text) <= head + tail:
        assert short == text
    else:
        assert short.startswith(text[:head] + "\n[… ")
        assert short.endswith(" …]\n" + (text[-tail:] if tail else ""))
        assert f"[… {len(text) - head - tail} characters left out" in short


def test_spilled_names_never_collide() -> None:
    spill = Spill()
    spill.put("candidate-A.diff", "one")
    long = "x" * (HEAD + TAIL + 1)
    first, second = spill.shorten(long), spill.shorten(long)
    assert first != second
    assert len(spill.paths()) == 3


def test_submit_remembers_what_was_said() -> None:
    on = bench()
    call(on, "submit", status="done", summary="s", tests_run=["a"], confidence=0.9)
    assert on.submission is not None
    assert (on.submission.tests_run, on.submission.confidence) == (("a",), "0.9")
