"""A run's result into the user's branch and work tree, and out again, losing nothing of theirs.

Only plumbing is used, so that no hook runs; the merge commit is not signed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import pygit2

from fanfold.adapters.git import trees
from fanfold.adapters.git.apply_checks import refuse_overlaps, refuse_unready
from fanfold.adapters.git.apply_record import FileChange, Record, record_path
from fanfold.adapters.git.command import git
from fanfold.adapters.git.repository import open_repository
from fanfold.adapters.git.work_tree import WorkTree
from fanfold.errors import ApplyRefused

if TYPE_CHECKING:
    from pathlib import Path

    from fanfold.adapters.git.repository import GitRepository


class Applied(msgspec.Struct, frozen=True):
    """`how` is fast_forward, merge, content or nothing; `head` is the commit of HEAD now."""

    run: str
    how: str
    branch: str | None
    head: str
    paths: tuple[str, ...] = ()


class _Plan(msgspec.Struct, frozen=True):
    """The tree that HEAD will have, and what changes by it: in the index, and in the work tree.

    `included` are paths whose uncommitted change, part of the run's base, the work tree keeps.
    """

    how: str
    tree: str
    changes: dict[str, trees.Entry | None]
    content: dict[str, trees.Entry | None]
    included: frozenset[str] = frozenset()


def apply(
    repo_path: str | Path,
    branch_tip: str,
    base: str,
    *,
    run: str,
    no_commit: bool = False,
    when: datetime | None = None,
) -> Applied:
    """Bring the commit `branch_tip`, made by a run from the commit `base`, into the current branch.

    Fast-forward where possible, else one merge commit. What the user has changed, staged or left
    untracked elsewhere stays exactly as it is. With `no_commit` only files change.

    Raises:
        ApplyRefused: the user's own files are in the way, or the result conflicts with the branch;
            `paths` names them, and nothing was changed.
        InvalidRepository: the repository or a commit cannot be used.
    """
    repository = open_repository(repo_path)
    head, tip = repository.head(), repository.commit_of(branch_tip)
    if _contains(repository, head.commit, tip):
        return Applied(run, "nothing", head.branch, head.commit)
    refuse_unready(repository, head, run)
    plan = _plan(repository, head.commit, tip, repository.commit_of(base))
    refuse_overlaps(repository.root, plan.changes, plan.included)
    after = head.commit
    if not no_commit:
        after = _commit(repository, head.commit, tip, plan, run, when or datetime.now(UTC))
    work_tree = WorkTree(repository)
    record = Record(
        run=run,
        how="content" if no_commit else plan.how,
        branch=head.branch,
        before=head.commit,
        after=after,
        folders=work_tree.missing_folders(plan.content),
        files=_file_changes(work_tree, plan),
    )
    _perform(work_tree, record)
    return Applied(run, record.how, head.branch, after, tuple(sorted(plan.changes)))


def undo(repo_path: str | Path, *, run: str) -> Applied:
    """Take back what `apply` did for `run`: files, index and branch are what they were before.

    Raises:
        ApplyRefused: nothing was applied, or the branch, or a file that `paths` names, has changed
            since; nothing was changed.
        InvalidRepository: the repository cannot be used.
    """
    repository = open_repository(repo_path)
    head = repository.head()
    record = Record.load(repository.root, run)
    if head.commit not in (record.after, record.before) or head.branch != record.branch:
        problem = f"HEAD has moved since run {run} was applied: `git revert` its commits instead"
        raise ApplyRefused(problem, ())
    work_tree = WorkTree(repository)
    changed = _changed_since(work_tree, record)
    if changed:
        raise ApplyRefused("changed since the run was applied: commit or restore them", changed)
    _take_back(work_tree, record)
    return Applied(run, record.how, head.branch, record.before, tuple(f.path for f in record.files))


def _perform(work_tree: WorkTree, record: Record) -> None:
    """The record comes first, so that `undo` takes back a crash at any point."""
    repository = work_tree.repository
    saved = [entry for change in record.files for entry in (change.was, change.now) if entry]
    work_tree.keep(f"apply/{record.run}", saved)
    record.save(repository.root)
    try:
        work_tree.put({change.path: change.now for change in record.files})
        if record.commits:
            work_tree.write_index({change.path: change.index_now for change in record.files})
            _move_head(repository, record.after, record.before, f"fanfold apply {record.run}")
    except BaseException:
        _take_back(work_tree, record)
        raise


def _take_back(work_tree: WorkTree, record: Record) -> None:
    repository = work_tree.repository
    if record.commits and repository.commit_of("HEAD") == record.after:
        _move_head(repository, record.before, record.after, f"fanfold undo {record.run}")
    work_tree.put({change.path: change.was for change in record.files}, made=record.folders)
    if record.commits:
        work_tree.write_index({change.path: change.index_was for change in record.files})
    record_path(repository.root, record.run).unlink()
    repository.release(f"apply/{record.run}")


def _changed_since(work_tree: WorkTree, record: Record) -> list[str]:
    """Paths that hold neither what the apply left nor what was there before."""
    index = work_tree.index()
    return [
        change.path
        for change in record.files
        if work_tree.state(change.path) not in (change.now, change.was)
        or (record.commits and index.get(change.path) not in (change.index_now, change.index_was))
    ]


def _file_changes(work_tree: WorkTree, plan: _Plan) -> tuple[FileChange, ...]:
    rendered, index = work_tree.rendered(plan.content), work_tree.index()
    return tuple(
        FileChange(
            path=path,
            was=work_tree.saved(path),
            now=rendered[path],
            index_was=index.get(path),
            index_now=plan.changes[path],
        )
        for path in sorted(plan.changes)
    )


def _plan(repository: GitRepository, head: str, tip: str, base: str) -> _Plan:
    """What must change; a base that HEAD does not contain is a snapshot of uncommitted changes."""
    if not _contains(repository, head, base):
        return _plan_on_snapshot(repository, head, tip, base)
    repo, ours = repository.objects, repository.tree_of(head)
    if _contains(repository, tip, head):
        how, tree = "fast_forward", repository.tree_of(tip)
    else:
        shared = repo.merge_base(pygit2.Oid(hex=head), pygit2.Oid(hex=tip))
        ancestor = repository.tree_of(str(shared or base))
        how, tree = "merge", _merged(repo, ancestor, ours, repository.tree_of(tip))
    changes = _changes(repo, ours, tree)
    return _Plan(how, tree, changes, changes)


def _plan_on_snapshot(repository: GitRepository, head: str, tip: str, base: str) -> _Plan:
    """Commit what the run changed alone: the user's uncommitted changes stay uncommitted.

    Where the two cannot be told apart, and HEAD is still what the snapshot was taken on, the
    run's version, which holds both, is committed.
    """
    repo = repository.objects
    ours, theirs, start = (repository.tree_of(commit) for commit in (head, tip, base))
    on_head = head in (str(parent) for parent in repo[base].peel(pygit2.Commit).parent_ids)
    tree = _merged(repo, start, ours, theirs, take_theirs=on_head)
    changes, present = _changes(repo, ours, tree), repository.dirty_tree()
    included = {
        path
        for path in changes
        if trees.find(repo, ours, path)
        != trees.find(repo, present, path)
        == trees.find(repo, start, path)
    }
    content = changes | {path: trees.find(repo, theirs, path) for path in included}
    return _Plan("merge", tree, changes, content, frozenset(included))


def _changes(repo: pygit2.Repository, old: str, new: str) -> dict[str, trees.Entry | None]:
    rows = list(trees.changed(repo, old, new))
    removed: dict[str, trees.Entry | None] = {path: None for path, _, now in rows if now is None}
    return removed | {path: now for path, _, now in rows if now is not None}


def _merged(
    repo: pygit2.Repository, ancestor: str, ours: str, theirs: str, *, take_theirs: bool = False
) -> str:
    """Merge trees; `take_theirs` settles conflicts. Raises `ApplyRefused` for others."""
    base, one, other = (repo[oid].peel(pygit2.Tree) for oid in (ancestor, ours, theirs))
    index = repo.merge_trees(base, one, other)
    conflicts = index.conflicts
    found = list(conflicts) if conflicts is not None else []
    paths = sorted({str(side.path) for sides in found for side in sides if side is not None})
    if paths and not take_theirs:
        raise ApplyRefused("the result conflicts with the branch: merge it by hand", paths)
    if conflicts is not None:
        for path in paths:
            del conflicts[path]
    clean = str(index.write_tree(repo))
    return trees.edit(repo, clean, {path: trees.find(repo, theirs, path) for path in paths})


def _commit(
    repository: GitRepository, head: str, tip: str, plan: _Plan, run: str, when: datetime
) -> str:
    if plan.how == "fast_forward":
        return tip
    name, email = repository.author()
    who = pygit2.Signature(name, email, int(when.timestamp()), 0, "utf-8")
    parents = [pygit2.Oid(hex=head), pygit2.Oid(hex=tip)]
    message = f"Merge the result of fanfold run {run}\n"
    tree = pygit2.Oid(hex=plan.tree)
    return str(repository.objects.create_commit(None, who, who, message, tree, parents))


def _move_head(repository: GitRepository, new: str, old: str, reason: str) -> None:
    git(repository.root, "update-ref", "-m", reason, "HEAD", new, old)


def _contains(repository: GitRepository, commit: str, ancestor: str) -> bool:
    if commit == ancestor:
        return True
    return repository.objects.descendant_of(pygit2.Oid(hex=commit), pygit2.Oid(hex=ancestor))
