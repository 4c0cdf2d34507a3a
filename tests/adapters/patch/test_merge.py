"""Folding several patches: order, waves, conflicts without a trace, the pack of new objects."""

from __future__ import annotations

import random
from pathlib import Path

import pygit2
import pytest

from fanfold.patch.conflicts import ConflictKind, diff3
from fanfold.patch.merge import Applied, Conflicted, Incoming, MergeResult, merge
from fanfold.patch.read import read_patch
from tests.adapters.patch.repos import (
    EXECUTABLE,
    GITLINK,
    LINK,
    Content,
    bare,
    git_diff,
    read_tree,
    run,
    write_tree,
)

Files = dict[str, Content]
TEN = b"".join(b"line %d\n" % number for number in range(10))


@pytest.fixture
def repo(tmp_path: Path) -> pygit2.Repository:
    return bare(tmp_path / "repo.git")


def line(number: int, text: bytes, data: bytes = TEN) -> bytes:
    return data.replace(b"line %d\n" % number, text + b"\n")


def fold(
    repo: pygit2.Repository, base: Files, *sides: Files, structured: bool = False
) -> tuple[MergeResult, str]:
    """Merge patches that each turn `base` into a side; ids are `p0`, `p1`, …"""
    tree = write_tree(repo, base)
    patches = [
        Incoming(f"p{number}", read_patch(git_diff(repo, tree, write_tree(repo, side))), tree)
        for number, side in enumerate(sides)
    ]
    return merge(repo, tree, patches, structured=structured, trees=True), tree


def install(repo: pygit2.Repository, result: MergeResult) -> None:
    pack = result.pack()
    folder = Path(repo.path) / "objects" / "pack"
    (folder / f"{pack.name}.pack").write_bytes(pack.data)
    (folder / f"{pack.name}.idx").write_bytes(pack.index)


def test_disjoint_patches_all_apply(repo: pygit2.Repository) -> None:
    base: Files = {"a": TEN, "b": TEN, "d/c": TEN}
    result, _ = fold(
        repo, base, base | {"a": b"A\n"}, base | {"d/new": b"x\n"}, {"a": TEN, "d/c": TEN}
    )
    assert [outcome.id for outcome in result.outcomes] == ["p0", "p1", "p2"]
    assert all(outcome.resolved_by is None for outcome in applied(result))
    install(repo, result)
    assert read_tree(repo, result.tree) == {"a": b"A\n", "d/c": TEN, "d/new": b"x\n"}


def applied(result: MergeResult) -> list[Applied]:
    return [outcome for outcome in result.outcomes if isinstance(outcome, Applied)]


def test_one_file_merges_line_by_line(repo: pygit2.Repository) -> None:
    sides: list[Files] = [{"a": line(number, b"changed %d" % number)} for number in (0, 4, 9)]
    result, _ = fold(repo, {"a": TEN}, *sides)
    assert [outcome.resolved_by for outcome in applied(result)] == [None, "git", "git"]
    install(repo, result)
    assert read_tree(repo, result.tree)["a"] == line(
        0, b"changed 0", line(4, b"changed 4", line(9, b"changed 9"))
    )


def test_a_conflicted_patch_leaves_no_trace_and_the_others_go_on(repo: pygit2.Repository) -> None:
    base: Files = {"a": TEN, "b": TEN}
    sides: list[Files] = [
        base | {"a": line(3, b"one")},
        base | {"a": line(3, b"two"), "b": b"unseen\n", "c": b"unseen\n"},
        base | {"b": line(3, b"three")},
    ]
    result, _ = fold(repo, base, *sides)
    first, second, third = result.outcomes
    assert isinstance(second, Conflicted)
    assert second.paths == ("a",)
    assert isinstance(first, Applied)
    assert isinstance(third, Applied)
    assert third.tree == result.tree
    install(repo, result)
    assert read_tree(repo, result.tree) == {"a": line(3, b"one"), "b": line(3, b"three")}
    packed = run(repo, "show-index", data=result.pack().index).decode()
    assert pygit2.hash(b"unseen\n").__str__() not in packed


def test_a_conflict_tells_all_sides(repo: pygit2.Repository) -> None:
    result, _ = fold(repo, {"a": TEN}, {"a": line(3, b"one")}, {"a": line(3, b"two")})
    outcome = result.outcomes[1]
    assert isinstance(outcome, Conflicted)
    (conflict,) = outcome.conflicts
    assert conflict.kind is ConflictKind.CONTENT
    assert [side and side.data for side in (conflict.base, conflict.ours, conflict.theirs)] == [
        TEN,
        line(3, b"one"),
        line(3, b"two"),
    ]
    assert b"<<<<<<< merged\none\n||||||| base\nline 3\n=======\ntwo\n>>>>>>> patch\n" in diff3(
        conflict
    )


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "kind", "path"),
    [
        ({"a": TEN, "z": b""}, {"z": b""}, {"a": line(1, b"x"), "z": b""}, "modify_delete", "a"),
        ({"a": b"\0a"}, {"a": b"\0b"}, {"a": b"\0c"}, "binary", "a"),
        ({"a": (LINK, b"x")}, {"a": (LINK, b"y")}, {"a": (LINK, b"z")}, "content", "a"),
        ({"z": b""}, {"z": b"", "a": b"1\n"}, {"z": b"", "a": b"2\n"}, "add_add", "a"),
        ({"a": TEN}, {"a": (LINK, b"x")}, {"a": line(1, b"x")}, "distinct_types", "a"),
        ({"z": b""}, {"z": b"", "a": b"1\n"}, {"z": b"", "a/b": b"2\n"}, "file_directory", "a"),
        ({"z": b""}, {"z": b"", "a/b": b"1\n"}, {"z": b"", "a": b"2\n"}, "file_directory", "a"),
        ({"z": b""}, {"z": b"", "Ab": b"1\n"}, {"z": b"", "aB": b"2\n"}, "case_collision", "aB"),
        ({"z": b""}, {"z": b"", "D/a": b"1\n"}, {"z": b"", "d/b": b"2\n"}, "case_collision", "d/b"),
        ({"d/f": TEN}, {"e/f": TEN}, {"d/f": TEN, "d/g": b"x\n"}, "directory_rename", "e/g"),
        ({"a": TEN}, {"b": TEN}, {"c": TEN}, "rename_rename", "a"),
        (
            {"s": (GITLINK, b"1" * 40)},
            {"s": (GITLINK, b"2" * 40)},
            {"s": (GITLINK, b"3" * 40)},
            "submodule",
            "s",
        ),
    ],
)
def test_conflicts_have_their_kind_and_a_rendering(
    repo: pygit2.Repository, base: Files, ours: Files, theirs: Files, kind: str, path: str
) -> None:
    result, _ = fold(repo, base, ours, theirs, structured=True)
    outcome = result.outcomes[1]
    assert isinstance(outcome, Conflicted)
    found = {conflict.path: conflict for conflict in outcome.conflicts}
    assert found[path].kind == kind
    assert path.encode() in diff3(found[path]) or found[path].kind in ("content", "add_add")


def test_edits_follow_a_renamed_file(repo: pygit2.Repository) -> None:
    base: Files = {"old.py": TEN, "z": b""}
    result, _ = fold(repo, base, {"new.py": TEN, "z": b""}, base | {"old.py": line(2, b"edited")})
    install(repo, result)
    assert read_tree(repo, result.tree) == {"new.py": line(2, b"edited"), "z": b""}


def test_mode_and_content_merge_on_their_own(repo: pygit2.Repository) -> None:
    result, _ = fold(repo, {"a": TEN}, {"a": (EXECUTABLE, TEN)}, {"a": line(1, b"x")})
    install(repo, result)
    assert read_tree(repo, result.tree) == {"a": (EXECUTABLE, line(1, b"x"))}


def test_attributes_of_the_base_are_honoured(repo: pygit2.Repository) -> None:
    rules = b"*.log merge=union\n*.txt binary\n"
    base: Files = {".gitattributes": rules, "d/a.log": TEN, "a.txt": TEN}
    ours, theirs = base | {"d/a.log": TEN + b"1\n"}, base | {"d/a.log": TEN + b"2\n"}
    result, _ = fold(repo, base, ours, theirs)
    install(repo, result)
    assert read_tree(repo, result.tree)["d/a.log"] == TEN + b"1\n2\n"
    result, _ = fold(repo, base, base | {"a.txt": line(1, b"x")}, base | {"a.txt": line(8, b"x")})
    assert isinstance(result.outcomes[1], Conflicted)


def test_a_patch_against_an_earlier_tree_is_merged_with_that_as_its_base(
    repo: pygit2.Repository,
) -> None:
    first = write_tree(repo, {"a": TEN, "b": TEN})
    second = write_tree(repo, {"a": line(0, b"wave one"), "b": TEN})
    late = read_patch(git_diff(repo, first, write_tree(repo, {"a": line(9, b"late"), "b": TEN})))
    fresh = read_patch(
        git_diff(repo, second, write_tree(repo, {"a": line(0, b"wave two"), "b": TEN}))
    )
    clash = read_patch(git_diff(repo, first, write_tree(repo, {"a": line(0, b"late"), "b": TEN})))
    result = merge(
        repo,
        second,
        [
            Incoming("late", late, first),
            Incoming("fresh", fresh, second),
            Incoming("clash", clash, first),
        ],
    )
    assert [type(outcome) for outcome in result.outcomes] == [Applied, Applied, Conflicted]
    install(repo, result)
    assert read_tree(repo, result.tree)["a"] == line(0, b"wave two", line(9, b"late"))


def test_what_is_done_already_applies_without_effect(repo: pygit2.Repository) -> None:
    side: Files = {"a": line(1, b"x")}
    result, _ = fold(repo, {"a": TEN}, side, side)
    assert [outcome.tree for outcome in applied(result)] == [result.tree, result.tree]


def test_a_rule_that_settles_a_conflict_is_recorded_with_both_sides(
    repo: pygit2.Repository,
) -> None:
    base, ours, theirs = b"one\ntwo\n", b"ONE\ntwo\n", b"one\nTWO\n"
    result, _ = fold(repo, {"a": base}, {"a": ours}, {"a": theirs}, structured=True)
    outcome = result.outcomes[1]
    assert isinstance(outcome, Applied)
    assert outcome.resolved_by == "structured"
    (resolution,) = outcome.resolutions
    assert (resolution.path, resolution.rules) == ("a", ("adjacent_lines",))
    assert (resolution.base, resolution.ours, resolution.theirs) == tuple(
        str(pygit2.hash(side)) for side in (base, ours, theirs)
    )


def test_the_pack_is_one_that_git_takes(repo: pygit2.Repository) -> None:
    base: Files = {f"d{number % 7}/f{number}": TEN for number in range(60)}
    sides: list[Files] = [base | {path: line(1, path.encode())} for path in base]
    result, _ = fold(repo, base, *sides)
    assert len(applied(result)) == 60
    pack = result.pack()
    assert result.pack() == pack
    install(repo, result)
    assert pack.name.removeprefix("pack-") in pack.data[-20:].hex()
    run(repo, "verify-pack", str(Path(repo.path) / "objects" / "pack" / f"{pack.name}.idx"))
    commit = run(repo, "commit-tree", "-m", "m", result.tree).decode().strip()
    run(repo, "update-ref", "refs/heads/main", commit)
    assert run(repo, "fsck", "--strict", "--full", "--no-dangling").strip() == b""
    assert pygit2.Repository(repo.path).get(result.tree) is not None


def test_nothing_is_written_to_the_repository(repo: pygit2.Repository) -> None:
    base: Files = {"a": TEN}
    tree, changed = write_tree(repo, base), write_tree(repo, {"a": line(1, b"x"), "new": b"n\n"})
    patch = read_patch(git_diff(repo, tree, changed))
    before = sorted(path for path in Path(repo.path).rglob("*"))
    merge(repo, tree, [Incoming("p", patch, tree)], trees=True)
    assert sorted(path for path in Path(repo.path).rglob("*")) == before


def test_pairwise_clean_patches_give_one_tree_in_any_order(repo: pygit2.Repository) -> None:
    base: Files = {"a": TEN, "b": TEN, "d/c": TEN}
    sides: list[Files] = [
        base | {"a": line(0, b"p")},
        base | {"a": line(5, b"q"), "b": line(5, b"q")},
        base | {"b": line(0, b"r"), "e": b"e\n"},
        {"a": TEN, "b": TEN, "moved/c": TEN},
    ]
    tree = write_tree(repo, base)
    patches = [
        Incoming(str(number), read_patch(git_diff(repo, tree, write_tree(repo, side))), tree)
        for number, side in enumerate(sides)
    ]
    trees: set[str] = set()
    for seed in range(12):
        random.Random(seed).shuffle(patches)
        trees.add(merge(repo, tree, patches).tree)
    assert len(trees) == 1
