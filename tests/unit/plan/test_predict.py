"""What tasks will probably write, and why; and what that lets run side by side."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fanfold.plan.co_change import LARGEST, Partner, partners
from fanfold.plan.formats import parse
from fanfold.plan.graph import build
from fanfold.plan.predict import Knowledge, predict

FILES = (
    "src/parser.py",
    "src/token_store.py",
    "src/handlers/__init__.py",
    "src/handlers/users.py",
    "tests/test_parser.py",
    "docs/guide.md",
    "pyproject.toml",
    "uv.lock",
    "conductor/tracks/one/plan.md",
)
TOGETHER = {"src/parser.py": (Partner("docs/guide.md", 4, 5),)}


def guessed(text: str, together: dict[str, tuple[Partner, ...]] = TOGETHER) -> dict[str, str]:
    """Why, by path, for a plan of one task."""
    plan = parse(f"# Plan\n\n## Phase 1: A\n\n{text}".encode())
    found = predict(plan, Knowledge(FILES, together))
    return {each.path: each.why for paths in found.values() for each in paths}


def waves(text: str) -> list[list[str]]:
    plan = parse(f"# Plan\n\n## Phase 1: A\n\n{text}".encode())
    predicted = predict(plan, Knowledge(FILES, TOGETHER))
    graph = build(plan, unit="task", parallel="infer", predicted=predicted)
    return [list(wave) for wave in graph.waves]


def test_a_path_that_is_named() -> None:
    assert guessed("- [ ] Task: Change `src/handlers/users.py`\n") == {
        "src/handlers/users.py": "named"
    }


def test_a_bare_file_name_is_looked_up() -> None:
    assert guessed("- [ ] Task: Change users.py\n") == {
        "src/handlers/users.py": "named as users.py"
    }


def test_words_of_the_title_name_files_and_their_tests() -> None:
    assert guessed("- [ ] Task: Let the parser recover\n", {}).keys() == {
        "src/parser.py",
        "tests/test_parser.py",
    }
    assert guessed("- [ ] Task: Expire the token store\n").keys() == {"src/token_store.py"}


def test_an_identifier_in_code_names_its_file() -> None:
    found = guessed("- [ ] Task: Make it quick\n    - Cache in `TokenStore.get`\n")
    assert found == {"src/token_store.py": "named like “tokenstore” in the task"}


def test_what_changes_together_comes_along() -> None:
    found = guessed("- [ ] Task: Change src/parser.py\n")
    assert found["docs/guide.md"] == "changed with src/parser.py in 4 of 5 commits"


def test_a_new_file_changes_the_index_beside_it() -> None:
    found = guessed("- [ ] Task: Add src/handlers/groups.py\n")
    assert found["src/handlers/__init__.py"] == "lists what is beside src/handlers/groups.py"


def test_dependencies_change_the_manifests() -> None:
    found = guessed("- [ ] Task: Install the http dependency\n")
    assert found.keys() == {"pyproject.toml", "uv.lock"}


def test_declared_files_leave_nothing_to_guess() -> None:
    assert guessed("- [ ] Task: The parser\n    <!-- files: a.py -->\n") == {}


def test_control_files_are_nobodys_output() -> None:
    assert not any("conductor" in path for path in guessed("- [ ] Task: Write plan.md and x.py\n"))


def test_what_is_told_apart_runs_side_by_side() -> None:
    assert waves("- [ ] Task: Expire the token store\n- [ ] Task: Change users.py\n") == [
        ["1.1", "1.2"]
    ]


def test_co_change_keeps_two_tasks_apart() -> None:
    tasks = "- [ ] Task: Change src/parser.py\n- [ ] Task: Fix `docs/guide.md`\n"
    plan = parse(f"# P\n\n## Phase 1: A\n\n{tasks}".encode())
    predicted = predict(plan, Knowledge(FILES, TOGETHER))
    graph = build(plan, unit="task", parallel="infer", predicted=predicted)
    assert [list(wave) for wave in graph.waves] == [["1.1"], ["1.2"]]
    assert any("docs/guide.md" in why for why in graph.units[1].why)


def test_what_tells_nothing_stays_in_the_chain() -> None:
    assert waves("- [ ] Task: Change users.py\n- [ ] Task: Make it nice\n") == [["1.1"], ["1.2"]]


def test_partners_need_support_confidence_and_lift() -> None:
    often = [{"a", "b", "log"}] * 4 + [{"c", "log"}] * 8 + [{"d", "log"}] * 2
    found = partners(often, {"a", "b", "c", "d", "log"})
    assert found == {"a": (Partner("b", 4, 4),), "b": (Partner("a", 4, 4),)}


def test_sweeping_commits_and_files_that_are_gone_say_nothing() -> None:
    sweep = {f"f{i}" for i in range(LARGEST + 1)}
    assert partners([sweep] * 9, sweep) == {}
    assert partners([{"a", "gone"}] * 9, {"a"}) == {}


@given(st.lists(st.sets(st.sampled_from("abcdef"), max_size=6), max_size=30))
def test_partners_are_known_files_and_never_themselves(commits: list[set[str]]) -> None:
    for path, found in partners(commits, set("abcde")).items():
        assert path in "abcde"
        for each in found:
            assert each.path in set("abcde") - {path}
            assert 0 < each.together <= each.commits
