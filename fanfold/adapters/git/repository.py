"""A repository's objects and refs through libgit2, and opening one that a run can start from."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pygit2
from pygit2.enums import RepositoryOpenFlag

from fanfold.adapters.git import trees
from fanfold.adapters.git.diff import diff_trees
from fanfold.adapters.git.history import changed_paths
from fanfold.adapters.git.status import Head, read_head
from fanfold.adapters.git.uncommitted import snapshot_uncommitted
from fanfold.errors import InvalidRepository

if TYPE_CHECKING:
    from collections.abc import Sequence

NOTES = "refs/notes/commits"
KEPT = "refs/fanfold/"


class GitRepository:
    """`ports.Repository` on disk; threads may share it, as each opens a handle of its own."""

    def __init__(self, git_dir: str | Path) -> None:
        self.git_dir = str(git_dir)
        self._handles = threading.local()
        self._notes = threading.Lock()

    @property
    def objects(self) -> pygit2.Repository:
        """libgit2's own handle; never pass it to another thread."""
        handle = getattr(self._handles, "handle", None)
        if handle is None:
            handle = self._handles.handle = pygit2.Repository(self.git_dir)
        return handle

    @property
    def root(self) -> Path:
        """The work tree; the git directory itself where the repository is bare."""
        return Path(self.objects.workdir or self.git_dir)

    @property
    def object_folder(self) -> Path:
        """The folder of the objects, also of a linked work tree."""
        common = Path(self.git_dir) / "commondir"
        below = common.read_text().strip() if common.is_file() else ""
        return Path(self.git_dir) / below / "objects"

    def tree_of(self, commit: str) -> str:
        """The tree that a revision names. Raises `InvalidRepository` for an unknown one."""
        return str(self._named(commit).peel(pygit2.Tree).id)

    def commit_of(self, revision: str) -> str:
        """The commit that a revision names. Raises `InvalidRepository` for an unknown one."""
        return str(self._named(revision).id)

    def diff(self, base_tree: str, tree: str) -> bytes:
        return diff_trees(self.objects, base_tree, tree)

    def files(self, tree: str) -> list[str]:
        """Sorted paths of all files and links; submodules left out."""
        found = trees.flatten(self.objects, tree).items()
        return sorted(path for path, entry in found if entry.mode != trees.SUBMODULE)

    def read(self, tree: str, path: str) -> bytes | None:
        """A file's content (a link's target); None where there is no such file."""
        entry = trees.find(self.objects, tree, path)
        if entry is None or entry.mode in (trees.DIRECTORY, trees.SUBMODULE):
            return None
        return self.objects.read(entry.oid)[1]

    def replace(self, tree: str, path: str, data: bytes) -> str:
        old = trees.find(self.objects, tree, path)
        mode = trees.EXECUTABLE if old and old.mode == trees.EXECUTABLE else trees.FILE
        entry = trees.Entry(mode, str(self.objects.create_blob(data)))
        return trees.edit(self.objects, tree, {path: entry})

    def without(self, tree: str, path: str) -> str:
        """The tree without a file."""
        return trees.edit(self.objects, tree, {path: None})

    def commit(
        self,
        tree: str,
        parent: str,
        message: str,
        when: datetime,
        author: tuple[str, str],
        merged: Sequence[str] = (),
    ) -> str:
        """Write a commit on no branch: unsigned, no hooks, the same id for the same arguments.

        `merged` are its parents besides `parent`.
        """
        who = _signature(author, when)
        parents = [pygit2.Oid(hex=each) for each in (parent, *merged) if each]
        written = self.objects.create_commit(None, who, who, message, pygit2.Oid(hex=tree), parents)
        return str(written)

    @property
    def is_bare(self) -> bool:
        return self.objects.is_bare

    def is_ref_name(self, name: str) -> bool:
        """Whether git would take `name`, which starts with refs/, as the name of a ref."""
        return pygit2.reference_is_valid_name(name)

    def ref(self, name: str) -> str | None:
        """The commit that a ref points to; None without such a ref."""
        try:
            return str(self.objects.references[name].peel(pygit2.Commit).id)
        except KeyError:
            return None

    def time_of(self, commit: str) -> datetime:
        """When a commit was committed, in UTC."""
        return datetime.fromtimestamp(self._named(commit).peel(pygit2.Commit).commit_time, UTC)

    def changed_paths(self, commit: str) -> list[frozenset[str]]:
        """Of the last commits up to `commit`, the paths that each one changed."""
        return changed_paths(self.root, commit)

    def author(self) -> tuple[str, str]:
        """Name and address of the user as git knows them; fanfold's own where it knows none."""
        try:
            who = self.objects.default_signature
        except (KeyError, ValueError, pygit2.GitError):
            return ("fanfold", "fanfold@localhost")
        return (who.name, who.email)

    def store_pack(self, name: str, data: bytes, index: bytes) -> None:
        """Add a pack and its index to the objects; one of the same name is the same pack."""
        folder = self.object_folder / "pack"
        folder.mkdir(parents=True, exist_ok=True)
        for suffix, content in ((".pack", data), (".idx", index)):
            place = folder / f"{name}{suffix}"
            if not place.exists():
                fresh = place.with_name(f"tmp_{uuid.uuid4().hex}{suffix}")
                fresh.write_bytes(content)
                fresh.chmod(0o444)
                fresh.rename(place)

    def set_ref(self, name: str, commit: str) -> None:
        self.objects.references.create(name, pygit2.Oid(hex=commit), force=True)

    def keep(self, name: str, oid: str) -> None:
        """Hold any object, and all it reaches, against `git gc` as `refs/fanfold/<name>`."""
        self.set_ref(KEPT + name, oid)

    def release(self, name: str) -> int:
        """Let go of what was kept as `name` or below it; gives how many refs went."""
        exact, below = KEPT + name, f"{KEPT}{name}/"
        gone = [ref for ref in self.objects.references if ref == exact or ref.startswith(below)]
        for ref in gone:
            self.objects.references.delete(ref)
        return len(gone)

    def note(self, commit: str, text: str, when: datetime, author: tuple[str, str]) -> None:
        """Add a git note; after one that is there already, unless that one says the same."""
        with self._notes:
            before = (self.note_of(commit) or "").rstrip()
            if before == text.rstrip() or before.endswith(f"\n\n{text.rstrip()}"):
                return
            whole = f"{before}\n\n{text}" if before else text
            who = _signature(author, when)
            self.objects.create_note(whole, who, who, commit, NOTES, True)

    def note_of(self, commit: str) -> str | None:
        try:
            return self.objects.lookup_note(commit, NOTES).message
        except KeyError:
            return None

    def _named(self, revision: str) -> pygit2.Commit:
        try:
            return self.objects.revparse_single(revision).peel(pygit2.Commit)
        except (KeyError, ValueError, pygit2.GitError) as error:
            raise InvalidRepository(
                f"{revision!r} names no commit of {str(self.root)!r}: see `git log --oneline --all`"
            ) from error

    def head(self) -> Head:
        """Where HEAD is, and what of the work tree is not in it."""
        return read_head(self.objects, self.root)

    def dirty_tree(self) -> str:
        """HEAD with all that is changed or new in the work tree and not ignored.

        The index stays as it is; clean filters (line ends, LFS) apply, as in `git add`.
        """
        return snapshot_uncommitted(self.objects, self.root)


def open_repository(path: str | Path, *, bare: bool = False, unborn: bool = False) -> GitRepository:
    """Open the repository that `path` lies in.

    `bare` allows one without a work tree, `unborn` one without a commit.

    Raises `InvalidRepository`, with the mend, unless a run can start from it.
    """
    place = str(path)
    try:
        handle = pygit2.Repository(place, RepositoryOpenFlag.CROSS_FS)
    except (KeyError, pygit2.GitError) as error:
        raise InvalidRepository(_why_closed(place, str(error))) from error
    if any(entry.name.endswith(".promisor") for entry in handle.config):
        raise InvalidRepository(_why_closed(place, "partialclone"))
    if handle.is_bare and not bare:
        raise InvalidRepository(f"{place!r} is a bare repository: run this in a clone with files")
    if handle.head_is_unborn and not unborn:
        raise InvalidRepository(
            f"{place!r} has no commit yet: make one with `git add -A && git commit`"
        )
    return GitRepository(handle.path)


def _why_closed(place: str, said: str) -> str:
    if not Path(place).is_dir():
        return f"{place!r} is no directory: name a git repository with `-C DIR`"
    if "owned by" in said:
        return f"git distrusts {place!r} ({said}): `git config --global --add safe.directory '*'`"
    if "partialclone" in said:
        return f"{place!r} is a partial clone, which lacks objects: clone it without `--filter`"
    if "unsupported" in said or "extension" in said:
        return f"{place!r} uses a git feature that fanfold cannot read ({said}): clone it plainly"
    return f"{place!r} is not in a git repository: `git init`, then commit, or use `-C DIR`"


def _signature(author: tuple[str, str], when: datetime) -> pygit2.Signature:
    name, email = author
    return pygit2.Signature(name, email, int(when.timestamp()), 0, "utf-8")
