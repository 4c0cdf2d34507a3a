"""Repositories without a checkout: snapshots and packs among the artifacts, and what is new."""

from __future__ import annotations

import hashlib
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pygit2
from pygit2.enums import ObjectType

from fanfold.adapters.git import trees
from fanfold.adapters.git.repository import NOTES, GitRepository
from fanfold.errors import ArtifactCorrupt, ArtifactMissing
from fanfold.patch.pack import write_pack
from fanfold.run.artifacts import git_folder, snapshot_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from fanfold.ports import ArtifactStore

_KINDS = {
    ObjectType.COMMIT: "commit",
    ObjectType.TREE: "tree",
    ObjectType.BLOB: "blob",
    ObjectType.TAG: "tag",
}


def snapshot_key(oid: str, suffix: str) -> str:
    return snapshot_file(oid, suffix)


def published_folder(run_id: str) -> str:
    """The `home` of a run."""
    return git_folder(run_id)


def push_snapshot(
    repository: GitRepository, oid: str, artifacts: ArtifactStore, without: Sequence[str] = ()
) -> bool:
    """Put a commit, or a tree, and all its files among the artifacts, unless it is there.

    A commit comes without its history; what the snapshots `without` hold is left out. The index
    is written last: where it is, the snapshot is whole. Gives whether anything was written.
    """
    if artifacts.exists(snapshot_key(oid, "idx")):
        return False
    repo = repository.objects
    known: set[str] = set()
    for other in without:
        _collect(repo, other, known)
    wanted: set[str] = set()
    _collect(repo, oid, wanted)

    def add(builder: pygit2.PackBuilder) -> None:
        for each in sorted(wanted - known):
            builder.add(pygit2.Oid(hex=each))

    with tempfile.TemporaryDirectory(prefix="fanfold-") as folder:
        repo.pack(folder, pack_delegate=add)
        for suffix in ("pack", "idx"):
            (file,) = Path(folder).glob(f"*.{suffix}")
            artifacts.put(snapshot_key(oid, suffix), file.read_bytes())
    return True


def take_packs(repository: GitRepository, artifacts: ArtifactStore, home: str) -> int:
    """Add the packs that a run published below `home`; gives how many were new here."""
    present = {place.name for place in (repository.object_folder / "pack").glob("*.idx")}
    new = 0
    for key in artifacts.list(f"{home}/packs"):
        if key.endswith(".idx") and key.rpartition("/")[2] not in present:
            _take_pack(repository, artifacts, key.removesuffix(".idx"))
            new += 1
    return new


def take_snapshot(repository: GitRepository, artifacts: ArtifactStore, oid: str) -> None:
    """Add a commit or tree that was pushed, and its files; a commit's parents are not among them.

    Raises `ArtifactMissing` for one that was never pushed whole, or `ArtifactCorrupt`.
    """
    key = snapshot_key(oid, "idx")
    if not artifacts.exists(key):
        raise ArtifactMissing(f"no snapshot of {oid}: {key!r} is not there; push it again")
    _take_pack(repository, artifacts, key.removesuffix(".idx"))


def pack_keys(artifacts: ArtifactStore, base: str, home: str) -> list[str]:
    """The packs, without their suffixes, of all that a run on the commit `base` has published."""
    published = sorted(k for k in artifacts.list(f"{home}/packs") if k.endswith(".idx"))
    return [key.removesuffix(".idx") for key in (snapshot_key(base, "idx"), *published)]


class SnapshotRepository(GitRepository):
    """`ports.Repository` in a private bare folder, made of snapshots and of what one run published.

    With `publishes`, packs are put below `home` as they are stored, and objects that were made one
    by one when something is said to last (`keep`, `set_ref`, `note`, or `publish` itself), so that
    whoever opens the run next finds them. Without, all stays here: so in an attempt, which gives a
    patch and no objects.
    """

    def __init__(
        self,
        folder: Path,
        artifacts: ArtifactStore,
        *,
        home: str,
        snapshots: Sequence[str],
        publishes: bool = True,
    ) -> None:
        """`folder` may hold an earlier opening, whose objects are used again.

        Raises `ArtifactMissing` for a snapshot that was never pushed whole, or `ArtifactCorrupt`.
        """
        super().__init__(folder)
        self._artifacts, self._home, self._publishes = artifacts, home, publishes
        self._publishing = threading.RLock()
        if not (folder / "HEAD").exists():
            pygit2.init_repository(str(folder), bare=True)
        for oid in snapshots:
            self._take_snapshot(oid)
        self.refresh()

    def refresh(self) -> None:
        """Take in what others have published since."""
        # The refs first: what they name was published before them.
        folder = f"{self._home}/refs"
        keys = self._artifacts.list(folder)
        refs = {key.removeprefix(f"{self._home}/"): self._artifacts.get(key) for key in keys}
        take_packs(self, self._artifacts, self._home)
        for name, commit in refs.items():
            super().set_ref(name, commit.decode())

    def publish(self) -> None:
        """Pack the objects that were made here one by one, and put the pack below `home`."""
        with self._publishing:
            places = {place.parent.name + place.name: place for place in self._loose()}
            if not places or not self._publishes:
                return
            pack = write_pack({oid: self._content(oid) for oid in places})
            self.store_pack(pack.name, pack.data, pack.index)
            for place in places.values():
                place.unlink()

    def store_pack(self, name: str, data: bytes, index: bytes) -> None:
        if self._publishes:
            key = f"{self._home}/packs/{name}"
            self._artifacts.put(f"{key}.pack", data)
            self._artifacts.put(f"{key}.idx", index)
        super().store_pack(name, data, index)

    def set_ref(self, name: str, commit: str) -> None:
        super().set_ref(name, commit)
        self._publish_ref(name, commit)

    def note(self, commit: str, text: str, when: datetime, author: tuple[str, str]) -> None:
        super().note(commit, text, when, author)
        self._publish_ref(NOTES, str(self.objects.references[NOTES].target))

    def _publish_ref(self, name: str, oid: str) -> None:
        if self._publishes:
            self.publish()
            self._artifacts.put(f"{self._home}/{name}", oid.encode())

    def _take_snapshot(self, oid: str) -> None:
        if oid in self.objects:
            return
        take_snapshot(self, self._artifacts, oid)
        if self.objects[oid].type == ObjectType.COMMIT:
            with (Path(self.git_dir) / "shallow").open("a") as shallow:
                shallow.write(f"{oid}\n")
            self.objects.set_head(pygit2.Oid(hex=oid))

    def _loose(self) -> Iterator[Path]:
        return self.object_folder.glob("[0-9a-f][0-9a-f]/" + "[0-9a-f]" * 38)

    def _content(self, oid: str) -> tuple[str, bytes]:
        kind, content = self.objects.read(oid)
        return _KINDS[ObjectType(kind)], content


def _take_pack(repository: GitRepository, artifacts: ArtifactStore, key: str) -> None:
    """Raises `ArtifactCorrupt` unless the pack is whole and the index is its own."""
    data, index = artifacts.get(f"{key}.pack"), artifacts.get(f"{key}.idx")
    checksum = hashlib.sha1(data[:-20], usedforsecurity=False).digest()
    if not data[-20:] == index[-40:-20] == checksum:
        raise ArtifactCorrupt(f"{key!r} is no whole pack with its index")
    GitRepository.store_pack(repository, f"pack-{checksum.hex()}", data, index)


def _collect(repo: pygit2.Repository, oid: str, found: set[str]) -> None:
    """Add a commit or tree, and all that lies in it, to `found`."""
    if oid in found or (oid == trees.EMPTY_TREE and oid not in repo):
        return
    found.add(oid)
    if repo[oid].type == ObjectType.COMMIT:
        _collect(repo, str(repo[oid].peel(pygit2.Tree).id), found)
        return
    for entry in trees.entries(repo, oid).values():
        if entry.mode == trees.DIRECTORY:
            _collect(repo, entry.oid, found)
        elif entry.mode != trees.SUBMODULE:
            found.add(entry.oid)
