"""What is told or refused before a run starts: tracks that wait, tasks that agents cannot do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fanfold.cli.money import about
from fanfold.run.money import from_dollars
from tests.fakes.batches import BATCH, LIST, all_letters, plan_path, tracks_repository
from tests.fakes.projects import fanfold, git
from tests.fakes.tracks import letters, letters_repository, play

if TYPE_CHECKING:
    from pathlib import Path

RUN = ("run", "--budget", "5", "--check", "true", "--no-sandbox")
FLAGGED = """\
# Letters

## Phase 1: Greek

- [x] Task: Write alpha
    - [ ] Write it small
- [ ] Task: Write beta
- [ ] Task: Deploy the letters to production
"""


@pytest.fixture(autouse=True)
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, tmp_path, *all_letters(), *letters())


@pytest.mark.parametrize("chosen", [("--track", "second"), (plan_path("second"),)])
def test_a_track_alone_waits_for_those_it_depends_on(
    tmp_path: Path, chosen: tuple[str, ...]
) -> None:
    root = tracks_repository(tmp_path / "project", needs={"second": ["first"]})
    for more in ((), ("--dry-run",)):
        ended = fanfold(root, *RUN, *chosen, *more)
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert "second depends on first, which is not done: add --track first" in ended.err
    done = (root / plan_path("first")).read_text().replace("[ ]", "[x]")
    (root / plan_path("first")).write_text(done)
    assert fanfold(root, *RUN, *chosen).code == 0


@pytest.mark.parametrize("words", [(*RUN, "--track", "third"), (*BATCH, "--budget", "9")])
def test_a_track_that_waits_for_one_that_is_not_there_is_refused(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    listed = LIST + "  - Blocked by: fourth_20260801\n"
    root = tracks_repository(tmp_path / "project", files={"conductor/tracks.md": listed})
    ended = fanfold(root, *words)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "conductor/tracks.md" in ended.err
    assert "third depends on 'fourth_20260801', which is no track here" in ended.err


def test_what_agents_cannot_do_is_told_before_money_is_spent(tmp_path: Path) -> None:
    root = letters_repository(tmp_path / "project", FLAGGED)
    told = fanfold(root, *RUN, "--only", "1.2")
    assert (told.code, "seems to need" in told.err) == (0, False)
    git(root, "switch", "-q", "-c", "again")
    told = fanfold(root, *RUN)
    assert ":8: 1.3 seems to need what an agent has not: deploy" in told.err
    assert "1.1 is marked done, so 1 open sub-task(s) below it are not run" in told.err


def test_a_rehearsal_tells_scripts_what_the_cap_pays_for(tmp_path: Path) -> None:
    root = tracks_repository(tmp_path / "project")
    told = fanfold(root, *BATCH, "--budget", "0.5", "--dry-run")
    assert (told.code, len(told.json["plans"])) == (0, 3), told.err
    funding = told.json["funding"]
    assert funding["cap_usd"] == "0.50"
    assert {t["track"]: t["state"] for t in funding["tracks"]} == {
        "first": "funded",
        "second": "does_not_fit",
        "third": "does_not_fit",
    }
    assert all(float(track["need_usd"]) > 0 for track in funding["tracks"])
    alone = fanfold(root, *RUN, "--track", "third", "--dry-run", "--json").json
    assert alone["terms"] == {
        "base": git(root, "rev-parse", "HEAD"),
        "cap_usd": "5.00",
        "concurrency": 8,
        "checks": ["true"],
    }


def test_a_batch_that_goes_on_counts_what_it_spent_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tracks_repository(tmp_path / "project", gated=["first"])
    assert fanfold(root, *BATCH, "--budget", "9", "--gates", "ask").code == 3
    assert fanfold(root, "approve").code == 0
    resumed = fanfold(root, "resume")
    spent = about(from_dollars(fanfold(root, "status", "--json").json["batches"][0]["cost_usd"]))
    last = [line for line in resumed.err.splitlines() if " of $9.00 spent" in line][-1]
    assert f"{spent} of $9.00" in last, resumed.err
