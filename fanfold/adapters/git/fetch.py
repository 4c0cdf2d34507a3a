"""A run's result from among the artifacts into the user's own repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pygit2

from fanfold.adapters.git.repository import KEPT, NOTES
from fanfold.adapters.git.snapshots import published_folder, take_packs, take_snapshot
from fanfold.errors import InvalidRepository
from fanfold.steps.result_branch import move_branch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanfold.adapters.git.repository import GitRepository
    from fanfold.ports import ArtifactStore
    from fanfold.run.state import RunState


def fetch_result(
    repository: GitRepository, artifacts: ArtifactStore, state: RunState, pushed: str = ""
) -> None:
    """Bring in what the run wrote, move its branch there, and add its notes to the user's.

    `pushed` is the commit whose snapshot was pushed for it, by default its base. No ref but the
    run's own is touched. Raises `InvalidRepository` where the commits that the run was built on are
    not in this clone, `AccessDenied` where its log names a branch of the user's.
    """
    if state.written is None:
        return
    home = published_folder(state.run_id)
    _require_base(repository, artifacts, state.run_id, pushed or state.base)
    take_packs(repository, artifacts, home)
    repository.keep(f"runs/{state.run_id}/base", state.base)
    kept = f"{KEPT}runs/{state.run_id}/"
    for key in artifacts.list(f"{home}/{kept}"):
        repository.set_ref(key.removeprefix(f"{home}/"), artifacts.get(key).decode())
    _take_notes(repository, artifacts, f"{home}/{NOTES}")
    if state.written.tip not in repository.objects:
        raise InvalidRepository(f"the result of run {state.run_id} is gone: it was cleaned away")
    move_branch(repository, state.written.branch, state.written.tip)


def _require_base(
    repository: GitRepository, artifacts: ArtifactStore, run_id: str, pushed: str
) -> None:
    """A base that was made for the run, of what was not committed, comes with its snapshot."""
    if pushed not in repository.objects:
        take_snapshot(repository, artifacts, pushed)
    missing = _missing_parent(repository, pushed)
    if missing:
        raise InvalidRepository(
            f"run {run_id} is built on commit {missing[:7]}, which is not in this clone: "
            "fetch it, or push it from where the run was started"
        )


def _missing_parent(repository: GitRepository, commit: str) -> str | None:
    """A parent that is not there, and that nobody said is not there on purpose."""
    shallow = repository.object_folder.parent / "shallow"
    if shallow.is_file() and commit in shallow.read_text("ascii").split():
        return None
    parents = repository.objects[commit].peel(pygit2.Commit).parent_ids
    return next((str(p) for p in parents if p not in repository.objects), None)


def _take_notes(repository: GitRepository, artifacts: ArtifactStore, key: str) -> None:
    if not artifacts.exists(key):
        return
    tip = repository.objects[artifacts.get(key).decode()].peel(pygit2.Commit)
    author = (tip.author.name, tip.author.email)
    for commit, text in _notes(tip.tree):
        repository.note(commit, text, repository.time_of(commit), author)


def _notes(tree: pygit2.Tree, prefix: str = "") -> Iterator[tuple[str, str]]:
    """What is said of each commit; with many, git spreads them over folders of two digits."""
    for entry in tree:
        name = f"{prefix}{entry.name}"
        if isinstance(entry, pygit2.Tree):
            yield from _notes(entry, name)
        elif isinstance(entry, pygit2.Blob):
            yield name, entry.data.decode("utf-8", "replace")
