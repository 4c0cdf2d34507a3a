"""Reading and writing files below a folder that untrusted commands fill with links and pipes."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from fanfold.adapters.git.base import check_path, check_size
from fanfold.errors import WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read_file(root: Path, path: str, limit: int) -> bytes:
    """A regular file's content; no link on the way is followed. Raises `WorkspaceError`."""
    check_path(path)
    with _folder(root, path) as (folder, name):
        descriptor = os.open(name, _FILE, dir_fd=folder)
        try:
            status = os.fstat(descriptor)
            _must_be_file(path, status)
            check_size(path, status.st_size, limit)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read(limit)
        finally:
            os.close(descriptor)


def write_file(root: Path, path: str, data: bytes, limit: int) -> None:
    """Replace a regular file as one step, or make it and its folders; an executable one stays so.

    Raises `WorkspaceError`.
    """
    check_path(path)
    check_size(path, len(data), limit)
    with _folder(root, path, create=True) as (folder, name):
        mode = 0o644
        with suppress(FileNotFoundError):
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                raise _linked(path, os.readlink(name, dir_fd=folder))
            _must_be_file(path, status)
            mode = stat.S_IMODE(status.st_mode) | stat.S_IRUSR | stat.S_IWUSR
        fresh = f".fanfold-{secrets.token_hex(8)}"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(descriptor, mode)
        os.replace(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)


def give_back(root: Path, path: str) -> None:
    """Let the owner read what lies at `path`, and reach it; no link is followed.

    Raises `OSError`, also where it belongs to somebody else.
    """
    place = root
    for part in ("", *path.split("/")):
        place /= part
        mode = place.lstat().st_mode
        wanted = stat.S_IRWXU if stat.S_ISDIR(mode) else stat.S_IRUSR if stat.S_ISREG(mode) else 0
        if mode & wanted != wanted:
            place.chmod(stat.S_IMODE(mode) | wanted)


@contextmanager
def _folder(root: Path, path: str, *, create: bool = False) -> Generator[tuple[int, str]]:
    """The open folder that `path` lies in, and the name in it; reached without following a link."""
    *above, name = path.split("/")
    descriptor = os.open(root, _FOLDER)
    try:
        for part in above:
            if create:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=descriptor)
            below = os.open(part, _FOLDER, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor, name
    except OSError as error:
        raise _explained(root, path, error) from error
    finally:
        os.close(descriptor)


def _explained(root: Path, path: str, error: OSError) -> WorkspaceError:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        place = root
        for part in path.split("/"):
            place /= part
            if place.is_symlink():
                return _linked(str(place.relative_to(root)), str(place.readlink()))
        return WorkspaceError(f"{path!r} would lie below a file")
    if error.errno == errno.ENOENT:
        return WorkspaceError(f"{path!r} does not exist")
    return WorkspaceError(f"{path!r}: {error.strerror}")


def _linked(path: str, target: str) -> WorkspaceError:
    return WorkspaceError(f"{path!r} is a symbolic link to {target!r}, which is not followed")


def _must_be_file(path: str, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise WorkspaceError(f"{path!r} is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise WorkspaceError(f"{path!r} is no regular file")
