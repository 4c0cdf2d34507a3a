"""Finding tracks, their state, and approving one."""

from __future__ import annotations

import json

import pytest

from fanfold.errors import InvalidPlan
from fanfold.plan.tracks import TrackState, approval_file, approve, find, runnable

OPEN = b"# Plan: Hello\n\n## Phase 1: A\n- [ ] a\n"
DONE = b"# Plan: Hello\n\n## Phase 1: A\n- [x] a\n"
BEGUN = b"## Phase 1: A\n- [x] a\n- [ ] b\n"


def states(files: dict[str, bytes]) -> dict[str, TrackState]:
    return {track.id: track.state for track in find(files, files.__getitem__)}


def folder(name: str) -> str:
    return f"conductor/tracks/{name}"


def test_state_comes_from_the_marks_and_not_from_drifting_metadata() -> None:
    files = {
        f"{folder('a')}/plan.md": OPEN,
        f"{folder('b')}/plan.md": DONE,
        f"{folder('b')}/metadata.json": b'{"status": "new"}',
        f"{folder('c')}/plan.md": BEGUN,
        f"{folder('d')}/plan.md": b"no task",
        f"{folder('e')}/plan.md": OPEN,
        f"{folder('e')}/metadata.json": b'{"status": "in_progress"}',
        "docs/plan.md": OPEN,
        "specs/tasks.md": OPEN,
        "conductor/plan.md": OPEN,
    }
    assert states(files) == {
        "a": TrackState.OPEN,
        "b": TrackState.DONE,
        "c": TrackState.IN_PROGRESS,
        "d": TrackState.INVALID,
        "e": TrackState.IN_PROGRESS,
    }


@pytest.mark.parametrize(
    "plan",
    [
        b"# T\n\nStatus: approved\n" + OPEN,
        b"# T\n**Status:** Approved\n" + OPEN,
        b"---\nstatus: approved\n---\n" + OPEN,
    ],
)
def test_approval_in_the_plan(plan: bytes) -> None:
    assert states({f"{folder('a')}/plan.md": plan}) == {"a": TrackState.APPROVED}


def test_status_of_a_phase_approves_nothing() -> None:
    plan = b"# T\n\n## Phase 1: A\n\n**Status:** Approved\n\n- [ ] a\n"
    assert states({f"{folder('a')}/plan.md": plan}) == {"a": TrackState.OPEN}


@pytest.mark.parametrize(
    "metadata",
    [
        b'{"status": "approved"}',
        b'{\n  "track_id": "a",\n  "status" : "Approved",\n}',
        b'{\\"track_id\\": \\"a\\", \\"status\\": \\"approved\\"}',
    ],
)
def test_approval_in_valid_and_invalid_metadata(metadata: bytes) -> None:
    files = {f"{folder('a')}/plan.md": OPEN, f"{folder('a')}/metadata.json": metadata}
    assert states(files) == {"a": TrackState.APPROVED}


@pytest.mark.parametrize("metadata", [b"", b"[]", b"{", b'{"depends_on": 3}', b"\xff", b"null"])
def test_useless_metadata_is_no_obstacle(metadata: bytes) -> None:
    files = {f"{folder('a')}/plan.md": OPEN, f"{folder('a')}/metadata.json": metadata}
    assert states(files) == {"a": TrackState.OPEN}


LISTS = {
    "list": """\
- [~] **Track: First**
  *Link: [./tracks/a/](./tracks/a/)*
  - Depends on: b (done)
""",
    "heading": """\
## [~] Track: First
*Link: [./conductor/tracks/a/](./conductor/tracks/a/)*
- Blocked by: b
""",
    "ids": "- [~] a - First [0a1b2c3]\n  - Depends on: b\n- [x] b\n",
    "bold ids": "- [~] **a** - First\n  - Type: Feature\n  - Depends on: b (completed)\n",
    "table": """\
| Status | Track ID | Title | Depends on |
|---|---|---|---|
| [~] | a | First | b |
""",
    "emoji": """\
| Track | Status | Blocked By |
|---|---|---|
| a | 🚧 Active | b |
| b | ✅ Done | - |
""",
}


@pytest.mark.parametrize("shape", LISTS)
def test_track_lists_of_every_shape(shape: str) -> None:
    files = {
        "conductor/tracks.md": f"# Tracks\n\n{LISTS[shape]}".encode(),
        f"{folder('a')}/plan.md": OPEN,
        f"{folder('b')}/plan.md": OPEN,
    }
    found = {track.id: track for track in find(files, files.__getitem__)}
    assert found["a"].state is TrackState.IN_PROGRESS
    assert found["a"].depends_on == ("b",)
    assert (found["b"].state, found["b"].depends_on) == (TrackState.OPEN, ())


@pytest.mark.parametrize(
    ("listed", "unknown"),
    [
        ("- [ ] a\n  - Depends on: b, gone_20260801\n", ["gone_20260801"]),
        ("- [ ] a\n  - Blocked by: `gone`\n", ["gone"]),
        ("| Track | Blocked By |\n|---|---|\n| a | gone-track |\n| b | - |\n", ["gone-track"]),
        ("- [ ] a\n  - Depends on: gone_20260801 (completed)\n", []),
        ("- [ ] a\n  - Depends on: the login of last-week, none, 12, b\n", []),
        ("| Track | Blocked By |\n|---|---|\n| a | nothing |\n", []),
    ],
)
def test_names_of_tracks_that_are_not_there(listed: str, unknown: list[str]) -> None:
    about = b'{"depends_on": ["lost"]}'
    files = {
        "conductor/tracks.md": listed.encode(),
        f"{folder('a')}/plan.md": OPEN,
        f"{folder('b')}/plan.md": OPEN,
        f"{folder('b')}/metadata.json": about,
    }
    found = {track.id: track for track in find(files, files.__getitem__)}
    assert found["a"].unknown == tuple((name, "conductor/tracks.md") for name in unknown)
    assert found["b"].unknown == (("lost", f"{folder('b')}/metadata.json"),)


@pytest.mark.parametrize("archive", ["archive", "_archive", "tracks/archive", "archived"])
def test_archived_tracks_are_never_run(archive: str) -> None:
    files = {f"conductor/{archive}/a/plan.md": OPEN, f"{folder('b')}/plan.md": OPEN}
    tracks = find(files, files.__getitem__)
    assert [(track.id, track.archived) for track in tracks if track.archived] == [("a", True)]
    assert [track.id for track in runnable(tracks)] == ["b"]


def test_approved_track_runs_before_others() -> None:
    files = {
        f"{folder('a')}/plan.md": BEGUN,
        f"{folder('b')}/plan.md": OPEN,
        f"{folder('b')}/metadata.json": b'{"status": "approved"}',
    }
    assert [track.id for track in runnable(find(files, files.__getitem__))] == ["b"]


def test_tracks_of_other_formats_are_found() -> None:
    files = {
        "specs/001-first/tasks.md": b"- [ ] T001 a\n",
        ".kiro/specs/second/tasks.md": b"- [x] 1. a\n",
        "openspec/changes/third/tasks.md": b"## 1. A\n- [ ] 1.1 a\n",
        "openspec/changes/archive/fourth/tasks.md": b"## 1. A\n- [ ] 1.1 a\n",
    }
    tracks = find(files, files.__getitem__)
    assert {track.id: (track.state, track.archived) for track in tracks} == {
        "001-first": (TrackState.OPEN, False),
        "second": (TrackState.DONE, False),
        "third": (TrackState.OPEN, False),
        "fourth": (TrackState.OPEN, True),
    }


def test_title_and_dependencies_from_metadata() -> None:
    about = {"title": "First", "depends_on": ["b"], "status": "new"}
    files = {
        f"{folder('a')}/plan.md": OPEN,
        f"{folder('a')}/metadata.json": json.dumps(about).encode(),
    }
    track = find(files, files.__getitem__)[0]
    assert (track.title, track.depends_on) == ("First", ("b",))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{\n  "status": "new",\n  "x": 1\n}', b'{\n  "status": "approved",\n  "x": 1\n}'),
        (b'{"x": 1}\r\n', b'{"status": "approved","x": 1}\r\n'),
        (b'{\n  "x": 1\n}', b'{\n  "status": "approved",\n  "x": 1\n}'),
        (b"{}", b'{"status": "approved"}'),
        (b'{\\"status\\": \\"new\\"}', b'{\\"status\\": \\"approved\\"}'),
    ],
)
def test_approving_metadata_changes_the_status_alone(before: bytes, after: bytes) -> None:
    assert approve(before, "conductor/tracks/a/metadata.json") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (OPEN, OPEN.replace(b"Hello\n", b"Hello\n\nStatus: approved\n")),
        (b"# T\r\n- [ ] a", b"# T\r\n\r\nStatus: approved\r\n- [ ] a"),
        (b"# T\n\n**Status:** In Progress\n- [ ] a", b"# T\n\n**Status:** approved\n- [ ] a"),
        (b"- [ ] a\n", b"Status: approved\n\n- [ ] a\n"),
        (b"## A\n- [ ] a\n", b"Status: approved\n\n## A\n- [ ] a\n"),
        (rb"# T\n- [ ] a\n", rb"# T\n\nStatus: approved\n- [ ] a\n"),
    ],
)
def test_approving_a_plan_adds_or_changes_its_status(before: bytes, after: bytes) -> None:
    path = f"{folder('a')}/plan.md"
    assert approve(before, path) == after
    assert states({path: after}) == {"a": TrackState.APPROVED}


def test_metadata_without_an_object_cannot_be_approved() -> None:
    with pytest.raises(InvalidPlan):
        approve(b"[]", "a/metadata.json")


def test_metadata_is_preferred_for_approval() -> None:
    plan = f"{folder('a')}/plan.md"
    about = f"{folder('a')}/metadata.json"
    assert approval_file(plan, {plan, about}.__contains__) == about
    assert approval_file(plan, {plan}.__contains__) == plan
    assert approval_file("plan.md", {"plan.md"}.__contains__) == "plan.md"
