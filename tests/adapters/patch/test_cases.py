"""134 real merges, shrunk: git's tree where it is clean, its conflicted paths where not."""

from __future__ import annotations

import ast
import csv
from pathlib import Path
from typing import NamedTuple

import pygit2
import pytest

from fanfold.patch.merge import Applied, Conflicted, Incoming, MergeResult, merge
from fanfold.patch.read import read_patch
from fanfold.patch.trees import Tree
from tests.adapters.patch.repos import bare, git_diff, run

CASES = Path(__file__).parents[4] / "shared" / "data" / "merges"
LEAST_SHARE = 0.25
UNION = "git's verdict was taken without the base's merge=union attribute"
EXPLAINED: dict[str, tuple[set[str], str]] = {
    "flask-1351d0a56580": ({"CHANGES.rst"}, UNION),
    "flask-9bee619320d3": ({"CHANGES.rst"}, UNION),
    "pytest-745cd26850f1": ({"CHANGELOG"}, UNION),
}


class Case(NamedTuple):
    name: str
    clean: bool
    tree: str
    paths: set[str]


def _cases() -> list[Case]:
    table = CASES / "cases.tsv"
    if not table.exists():
        return []
    with table.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [
            Case(
                f"{row['repo']}-{row['merge_sha'][:12]}",
                row["git_verdict"] == "clean",
                row["expected_tree"],
                set(filter(None, (row["conflicted_paths"] or "").split("|"))),
            )
            for row in rows
        ]


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> pygit2.Repository:
    if not CASES.exists():
        pytest.skip("the recorded merges are not here")
    repo = bare(tmp_path_factory.mktemp("cases") / "repo.git")
    run(repo, "fetch", "--quiet", str(CASES / "cases.bundle"), "refs/cases/*:refs/cases/*")
    return repo


def _patches(repo: pygit2.Repository, name: str) -> tuple[str, list[Incoming]]:
    base, *sides = (
        str(repo.references[f"refs/cases/{name}/{side}"].peel(pygit2.Tree).id)
        for side in ("base", "p1", "p2")
    )
    return base, [Incoming(side, read_patch(git_diff(repo, base, side)), base) for side in sides]


@pytest.mark.skipif(not CASES.exists(), reason="the recorded merges are not here")
@pytest.mark.parametrize("case", _cases(), ids=lambda case: case.name)
def test_a_real_merge_gets_gits_verdict(repo: pygit2.Repository, case: Case) -> None:
    base, patches = _patches(repo, case.name)
    result = merge(repo, base, patches)
    outcome = result.outcomes[1]
    if case.clean:
        assert result.tree == case.tree
        return
    explained, _ = EXPLAINED.get(case.name, (set[str](), ""))
    found = set[str]() if isinstance(outcome, Applied) else set(outcome.paths)
    assert found == case.paths - explained
    assert (result.tree == patches[0].id) == bool(found)


@pytest.mark.filterwarnings("ignore:invalid escape sequence")
def test_the_ladder_settles_a_fair_share_and_nothing_that_does_not_parse(
    repo: pygit2.Repository,
) -> None:
    settled = conflicted = 0
    for case in _cases():
        base, patches = _patches(repo, case.name)
        result = merge(repo, base, patches, structured=True)
        outcome = result.outcomes[1]
        if case.clean:
            assert result.tree == case.tree
        elif isinstance(outcome, Conflicted):
            conflicted += 1
            assert set(outcome.paths) <= case.paths
        else:
            settled += 1
            _assert_parses(result, outcome)
    assert settled >= (settled + conflicted) * LEAST_SHARE


def _assert_parses(result: MergeResult, outcome: Applied) -> None:
    tree = Tree(result.objects, result.tree)
    for resolution in outcome.resolutions:
        entry = tree.file(resolution.path)
        assert entry is not None
        if resolution.rules and resolution.path.endswith(".py"):
            ast.parse(result.objects.blob(entry.oid))
