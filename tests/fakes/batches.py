"""Repositories with several tracks, and the batches that run them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tests.fakes.projects import git, make_repository

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

BATCH = ("run", "--all-open", "--check", "true", "--no-sandbox", "--json")
LIST = """\
# Tracks

- [ ] **Track: First**
  *Link: [./tracks/first/](./tracks/first/)*
- [ ] **Track: Second**
  *Link: [./tracks/second/](./tracks/second/)*
- [ ] third - Third
"""
WORDS = {"first": ("alpha", "beta"), "second": ("gimel",), "third": ("delta",)}
GATE = "- [ ] Task: Conductor - User Manual Verification 'Letters' (Protocol in workflow.md)\n"


def plan_path(track: str) -> str:
    return f"conductor/tracks/{track}/plan.md"


def tracks_repository(
    root: Path,
    *,
    needs: Mapping[str, Sequence[str]] | None = None,
    gated: Sequence[str] = (),
    files: Mapping[str, str] | None = None,
) -> Path:
    """A repository with the tracks of `WORDS`; `needs` are those of a track, `gated` end in one."""
    content = {"README.md": "Letters\n", "conductor/tracks.md": LIST, **(files or {})}
    for track, words in WORDS.items():
        tasks = "".join(f"- [ ] Task: Write {word}\n" for word in words)
        gate = GATE if track in gated else ""
        content[plan_path(track)] = f"# {track.title()}\n\n## Phase 1: Letters\n\n{tasks}{gate}"
        about = {"track_id": track, "depends_on": list((needs or {}).get(track, ()))}
        content[f"conductor/tracks/{track}/metadata.json"] = msgspec.json.encode(about).decode()
    make_repository(root, content)
    git(root, "config", "user.name", "Test")
    git(root, "config", "user.email", "test@localhost")
    return root


def writes(
    word: str, files: Mapping[str, str] | None = None, *, delay_s: float = 0.0
) -> dict[str, Any]:
    """A part that writes `<word>.txt`, or `files`, and submits after having thought."""
    content = files if files is not None else {f"{word}.txt": f"{word}\n"}
    calls = [
        {"name": "write", "input": {"file_path": path, "content": text}}
        for path, text in content.items()
    ]
    done = {"name": "submit", "input": {"status": "done", "summary": f"Wrote {word}."}}
    turns: list[dict[str, Any]] = [{"calls": calls}, {"calls": [done], "delay_s": delay_s}]
    return {"task": f"Write {word}", "turns": turns}


def all_letters() -> list[dict[str, Any]]:
    return [writes(word) for words in WORDS.values() for word in words]
