"""Which paths and symlink targets a patch may carry, on any file system."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fanfold.errors import InvalidPatch

if TYPE_CHECKING:
    from collections.abc import Iterable

PATH_BYTES, NAME_BYTES = 4096, 255
HFS_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
NTFS_STREAM = re.compile(r":.*", re.DOTALL)
NTFS_SHORT = re.compile(r"gi[0-9a-z]{0,6}~[0-9]+")
CONTROL = re.compile("[\x00-\x1f\x7f]")
UNPORTABLE = re.compile(r'[\\:*?"<>|\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]')
DEVICE = re.compile(
    r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(?: *\..*)?", re.IGNORECASE
)
DRIVE = re.compile(r"[A-Za-z]:")


def plain(name: str) -> str:
    """A name as NTFS and HFS+ would take it.

    Without case, ignored characters, streams, trailing dots and spaces.
    """
    return NTFS_STREAM.sub("", HFS_IGNORED.sub("", name)).rstrip(". ").casefold()


def is_dotgit(name: str) -> bool:
    """Whether some file system takes `name` for `.git`."""
    if name.isascii() and name[:2].lower() not in (".g", "gi"):
        return False
    seen = plain(name)
    return seen == ".git" or NTFS_SHORT.fullmatch(seen) is not None


def check_path(path: str) -> None:
    """Refuse a path that no tree may hold.

    Raises `InvalidPatch`: `bad_name`, `path_escape` or `dotgit_path`.
    """
    if path.startswith("/") or DRIVE.match(path) or path.startswith("\\"):
        raise InvalidPatch("path_escape", "an absolute path", path)
    names = re.split(r"[/\\]", path)
    if ".." in (name.rstrip(" ") for name in names):
        raise InvalidPatch("path_escape", "'..' in a path", path)
    if len(path.encode("utf-8", "surrogateescape")) > PATH_BYTES:
        raise InvalidPatch("bad_name", f"a path of more than {PATH_BYTES} bytes", path[:200])
    for name in names:
        if is_dotgit(name):
            raise InvalidPatch("dotgit_path", "a path that a file system takes for .git", path)
        _check_name(name, path)


def _check_name(name: str, path: str) -> None:
    if name in ("", "."):
        raise InvalidPatch("bad_name", "an empty name or '.' in a path", path)
    if CONTROL.search(name) or not _is_unicode(name):
        raise InvalidPatch(
            "bad_name", "control characters or bytes that are not UTF-8 in a path", path
        )
    if len(name.encode()) > NAME_BYTES:
        raise InvalidPatch("bad_name", f"a name of more than {NAME_BYTES} bytes", path[:200])


def _is_unicode(name: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in name)


def check_new_path(path: str) -> None:
    """Refuse a new path that some file system cannot hold, or shows as another.

    Raises `InvalidPatch` with `bad_name`.
    """
    for name in path.split("/"):
        if UNPORTABLE.search(name) or name.endswith((".", " ")) or DEVICE.fullmatch(name):
            raise InvalidPatch("bad_name", f"{name!r} is no name on every file system", path)


def check_target(path: str, target: bytes) -> None:
    """Refuse a symlink at `path` that may leave the tree or enter `.git`.

    `..` may only lead: then no chain of such links can leave the tree, whatever they pass through.
    Raises `InvalidPatch` with `symlink_escape`.
    """
    try:
        text = target.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidPatch("symlink_escape", "a target that is not UTF-8", path) from None
    if not text or len(target) > PATH_BYTES or CONTROL.search(text) or "\\" in text:
        raise InvalidPatch("symlink_escape", "a target that is no path", path)
    if text.startswith("/") or DRIVE.match(text):
        raise InvalidPatch("symlink_escape", f"the absolute target {text!r}", path)
    names = [name for name in text.split("/") if name not in ("", ".")]
    ups = next((at for at, name in enumerate(names) if name != ".."), len(names))
    if ups > path.count("/") or ".." in (name.rstrip(" ") for name in names[ups:]):
        raise InvalidPatch("symlink_escape", f"the target {text!r} leaves the tree", path)
    if any(map(is_dotgit, names)):
        raise InvalidPatch("symlink_escape", f"the target {text!r} enters .git", path)


def resolve(path: str, target: bytes) -> str:
    """The path that a checked target names; "" is the root."""
    names = [name for name in target.decode().split("/") if name not in ("", ".")]
    above = path.split("/")[:-1]
    while names and names[0] == "..":
        names.pop(0)
        above.pop()
    return "/".join((*above, *names))


def prefixes(path: str) -> Iterable[str]:
    """`path` and the directories above it, outermost first."""
    names = path.split("/")
    return ("/".join(names[: count + 1]) for count in range(len(names)))
