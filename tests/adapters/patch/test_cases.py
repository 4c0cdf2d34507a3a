"""134 real merges, shrunk: git's tree where it is clean, its conflicted paths where not."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import pygit2
import pytest

from fanfold.patch.merge import Applied, Incoming, merge
from fanfold.patch.read import read_patch
from tests.adapters.patch.repos import bare, git_diff, run

CASES = Path(__file__).parents[4] / "shared" / "data" / "merges"
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


@pytest.mark.skipif(not CASES.exists(), reason="the recorded merges are not here")
@pytest.mark.parametrize("case", _cases(), ids=lambda case: case.name)
def test_a_real_merge_gets_gits_verdict(repo: pygit2.Repository, case: Case) -> None:
    base, one, two = (
        str(repo.references[f"refs/cases/{case.name}/{side}"].peel(pygit2.Tree).id)
        for side in ("base", "p1", "p2")
    )
    patches = [Incoming(side, read_patch(git_diff(repo, base, side)), base) for side in (one, two)]
    result = merge(repo, base, patches)
    outcome = result.outcomes[1]
    if case.clean:
        assert result.tree == case.tree
        return
    explained, _ = EXPLAINED.get(case.name, (set[str](), ""))
    found = set[str]() if isinstance(outcome, Applied) else set(outcome.paths)
    assert found == case.paths - explained
    assert (result.tree == one) == bool(found)
