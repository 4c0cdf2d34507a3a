"""Random repositories and edits, out of a stream of choices, for tests against git."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.adapters.patch.repos import EXECUTABLE, FILE, LINK

if TYPE_CHECKING:
    from tests.adapters.patch.repos import Content

Files = dict[str, "Content"]
Choose = Callable[[int], int]
DIRECTORIES = ("", "src/", "src/deep/", "docs/", "lib/")
KINDS = (
    "edit",
    "edit",
    "edit",
    "rename",
    "move_directory",
    "delete",
    "add",
    "chmod",
    "link",
    "swap",
)


def lines(tag: str, count: int = 14) -> list[bytes]:
    return [f"{tag} line {number}\n".encode() for number in range(count)]


def base_files(choose: Choose) -> Files:
    files: Files = {}
    for number in range(6 + choose(5)):
        directory = DIRECTORIES[choose(len(DIRECTORIES))]
        path = f"{directory}f{number}.txt"
        text = b"".join(lines(f"file {number}"))
        files[path] = (text, text.replace(b"\n", b"\r\n"), text + b"\0\1", text[:-1])[
            choose(8) % 6 % 4
        ]
    files["link"] = (LINK, b"src")
    files["src/keep.txt"] = b"keep\n"
    if choose(3) == 0:
        files["docs/log.txt"] = b"".join(lines("log", 4))
        files[".gitattributes"] = b"log.txt merge=union\n*.dat binary\n"
    return files


def edited(files: Files, choose: Choose, side: str) -> Files:
    """One side: up to four edits of `files`."""
    out = dict(files)
    for number in range(1 + choose(4)):
        paths = sorted(path for path in out if path != ".gitattributes")
        if paths:
            path = paths[choose(len(paths))]
            _edit(out, path, KINDS[choose(len(KINDS))], choose, f"{side}{number}")
    return out


def _edit(out: Files, path: str, kind: str, choose: Choose, tag: str) -> None:
    content = out[path]
    mode, data = content if isinstance(content, tuple) else (FILE, content)
    directory, _, name = path.rpartition("/")
    if kind == "edit":
        out[path] = (mode, b"x" + data if mode == LINK else _lines_changed(data, choose, tag))
    elif kind == "rename":
        target = f"{DIRECTORIES[choose(len(DIRECTORIES))]}{('new_' + tag, name)[choose(2)]}"
        _place(out, target, out.pop(path))
    elif kind == "move_directory" and directory:
        _move(out, directory, ("lib", "moved", f"moved_{tag}")[choose(3)])
    elif kind == "add":
        added = ("shared.txt", f"{tag}.txt")[choose(2)]
        _place(out, f"{DIRECTORIES[choose(len(DIRECTORIES))]}{added}", b"".join(lines(tag, 3)))
    else:
        _replace(out, path, kind, mode, data)


def _replace(out: Files, path: str, kind: str, mode: int, data: bytes) -> None:
    if kind == "delete":
        del out[path]
    elif kind == "chmod" and mode != LINK:
        out[path] = (EXECUTABLE if mode == FILE else FILE, data)
    elif kind == "link":
        out[path] = (LINK, b"f1.txt")
    elif kind == "swap" and "/" in path and mode != LINK:
        _place(out, f"{path}.d/inner.txt", out.pop(path))


def _move(out: Files, directory: str, target: str) -> None:
    moved = {path: content for path, content in out.items() if path.startswith(directory + "/")}
    for path in moved:
        del out[path]
    for path, content in moved.items():
        _place(out, f"{target}{path[len(directory) :]}", content)


def _lines_changed(data: bytes, choose: Choose, tag: str) -> bytes:
    rows = data.splitlines(keepends=True) or [b""]
    at = choose(len(rows))
    end = b"\r\n" if rows[at].endswith(b"\r\n") else b"\n"
    change = choose(4)
    if change == 0:
        rows[at] = f"{tag} changed".encode() + end
    elif change == 1:
        rows.insert(at, f"{tag} added".encode() + end)
    elif change == 2:
        del rows[at]
    else:
        rows.append(f"{tag} at the end".encode() + end)
    return b"".join(rows)


def _place(out: Files, path: str, content: Content) -> None:
    """Put a file where neither a file is above it nor a directory stands; else leave it out."""
    above = path.split("/")
    blocked = any("/".join(above[:depth]) in out for depth in range(1, len(above)))
    if not blocked and not any(other.startswith(path + "/") for other in out):
        out[path] = content
