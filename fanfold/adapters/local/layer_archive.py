"""A prepared layer as one file, which the same layer always makes byte for byte."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import stat
import tarfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from fanfold.errors import ArtifactCorrupt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PATTERNS, FILES = "patterns.json", "files"
LEVEL = 3
_CHUNK = 1 << 20
_MODES = 0o777
"""No set-user-id bit or the like of what a command made gets into another checkout."""


def pack(files: Path, patterns: Sequence[str], place: Path) -> str:
    """Write all below `files`, and `patterns`, to the file `place`; gives its SHA-256 in hex.

    Files, folders and symbolic links come with their modes and times, in the order of their names;
    owners, hard links and whatever else is in a folder do not.
    """
    with (
        place.open("wb") as file,
        gzip.GzipFile("", "wb", LEVEL, file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        told = msgspec.json.encode(list(patterns))
        head = tarfile.TarInfo(PATTERNS)
        head.size = len(told)
        archive.addfile(head, io.BytesIO(told))
        for path in _below(files):
            _add(archive, path, f"{FILES}/{path.relative_to(files).as_posix()}")
    return digest_of(place)


def unpack(place: Path, root: Path, sha256: str) -> list[str]:
    """Put the layer at `place` into the empty folder `root`; gives its patterns.

    Raises `ArtifactCorrupt` for another file than the one with that digest, or one that would
    write outside.
    """
    if digest_of(place) != sha256:
        raise ArtifactCorrupt(f"layer {place.name!r} is not the one that was made")
    patterns: list[str] = []
    times: list[tuple[Path, float, int]] = []
    with tarfile.open(place, "r:gz") as archive:
        for member in archive:
            if member.name == PATTERNS:
                content = archive.extractfile(member)
                patterns = msgspec.json.decode(content.read() if content else b"", type=list[str])
            elif (target := _extract(archive, member, root)) is not None:
                times.append((target, member.mtime, member.mode))
    for target, when, mode in reversed(times):
        target.chmod(mode & _MODES)
        os.utime(target, (when, when))
    return patterns


def digest_of(place: Path) -> str:
    """The SHA-256 of a file, in hex."""
    found = hashlib.sha256()
    with place.open("rb") as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


def _below(folder: Path) -> Iterator[Path]:
    """Everything in it, folders before what they hold, in one order everywhere."""
    for path in sorted(folder.iterdir(), key=lambda each: os.fsencode(each.name)):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _below(path)


def _add(archive: tarfile.TarFile, path: Path, name: str) -> None:
    status = path.lstat()
    info = tarfile.TarInfo(name)
    info.mode, info.mtime = stat.S_IMODE(status.st_mode) & _MODES, int(status.st_mtime)
    if stat.S_ISLNK(status.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, str(path.readlink())
        archive.addfile(info)
    elif stat.S_ISDIR(status.st_mode):
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
    elif stat.S_ISREG(status.st_mode):
        info.size = status.st_size
        with path.open("rb") as file:
            archive.addfile(info, file)


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, root: Path) -> Path | None:
    """Make one member; a folder or file, whose mode and time are set later, is given back."""
    target = _inside(member.name, root)
    if member.issym():
        target.symlink_to(member.linkname)
        return None
    if member.isdir():
        target.mkdir(mode=0o700)
        return target
    content = archive.extractfile(member) if member.isreg() else None
    if content is None:
        raise ArtifactCorrupt(f"a layer holds {member.name!r}, which is no file")
    with content, target.open("xb") as file:
        shutil.copyfileobj(content, file, _CHUNK)
    return target


def _inside(name: str, root: Path) -> Path:
    """Where a member belongs: below real folders of `root`, never through a link."""
    first, *parts = PurePosixPath(name).parts
    target = root.joinpath(*parts)
    plain = first == FILES and parts and ".." not in parts and "/" not in parts
    linked = any((root.joinpath(*parts[:n])).is_symlink() for n in range(1, len(parts)))
    if not plain or linked:
        raise ArtifactCorrupt(f"a layer would write {name!r}")
    return target
