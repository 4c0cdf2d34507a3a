"""What an apply did, kept in `.ai-workspace/apply/` so that it can be taken back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from fanfold.adapters.git.trees import Entry
from fanfold.errors import ApplyRefused

if TYPE_CHECKING:
    from pathlib import Path


class FileChange(msgspec.Struct, frozen=True):
    """One path: its raw content on disk and its index entry, before and after; None: absent."""

    path: str
    was: Entry | None
    now: Entry | None
    index_was: Entry | None = None
    index_now: Entry | None = None


class Record(msgspec.Struct, frozen=True):
    """An apply, from commit `before` to `after`; `folders` are those it makes, outer ones first."""

    run: str
    how: str
    branch: str | None
    before: str
    after: str
    folders: tuple[str, ...]
    files: tuple[FileChange, ...]
    schema: int = 1

    @property
    def commits(self) -> bool:
        """Whether the index and the branch changed too."""
        return self.how != "content"

    def save(self, root: Path) -> None:
        """Written whole or not at all, and on the disk before the first file changes."""
        place = record_path(root, self.run)
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh = place.with_suffix(".tmp")
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(self))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(place)

    @classmethod
    def load(cls, root: Path, run: str) -> Record:
        """Raises `ApplyRefused` where the run was not applied."""
        try:
            return msgspec.json.decode(record_path(root, run).read_bytes(), type=cls)
        except FileNotFoundError:
            problem = f"run {run} is not applied here: there is nothing to undo"
            raise ApplyRefused(problem, ()) from None
        except msgspec.MsgspecError as error:
            raise ApplyRefused(f"{record_path(root, run)} is damaged: {error}", ()) from error


def record_path(root: Path, run: str) -> Path:
    return root / ".ai-workspace" / "apply" / f"{run}.json"
