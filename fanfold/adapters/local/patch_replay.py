"""Turns a recorded git patch into the tool calls that make the same change."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from fanfold.adapters.local.script import Call, Turn, submit
from fanfold.errors import InvalidPatch
from fanfold.patch.apply import apply_hunks
from fanfold.patch.model import EXECUTABLE, REGULAR
from fanfold.patch.read import read_patch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from fanfold.patch.model import FileChange, Hunk


def replay_patch(
    base_reader: Callable[[str], bytes | None],
    patch: bytes,
    summary: str = "Done.",
    *,
    leave_out: Collection[str] = (),
) -> tuple[Turn, ...]:
    """Reads what exists, then writes and edits, then submits; removals and modes need a shell.

    `base_reader` gives a file of the tree that the patch was made on; paths to `leave_out` are not
    touched. Raises `InvalidPatch` for what is no patch, does not fit, or is beyond text tools
    (binary files, links, submodules).
    """
    changes = [change for change in read_patch(patch).changes if change.path not in leave_out]
    before = {change.path: _before(change, base_reader) for change in changes}
    turns = (
        tuple(Call("read", {"file_path": c.path}) for c in changes if c.old_path == c.new_path),
        tuple(call for change in changes for call in _calls(change, before[change.path])),
        tuple(call for change in changes for call in _shell_calls(change)),
    )
    return (*(Turn(calls=calls) for calls in turns if calls), submit(summary))


def _before(change: FileChange, base_reader: Callable[[str], bytes | None]) -> str:
    if change.old_path is None:
        return ""
    data = base_reader(change.old_path)
    if data is None:
        raise InvalidPatch("does_not_apply", "the base has no such file", change.old_path)
    return _text(data, change.old_path)


def _calls(change: FileChange, before: str) -> tuple[Call, ...]:
    modes = {change.old_mode, change.new_mode} - {None, REGULAR, EXECUTABLE}
    if change.binary is not None or modes:
        raise InvalidPatch("not_text", "text tools cannot make this change", change.path)
    path = change.new_path
    if path is None:
        return ()
    after = _text(apply_hunks(before.encode(), change.hunks, path), path)
    if path != change.old_path:
        return (Call("write", {"file_path": path, "content": after}),)
    return _edits(path, before, after, change.hunks)


def _edits(path: str, before: str, after: str, hunks: tuple[Hunk, ...]) -> tuple[Call, ...]:
    """One edit a hunk; a write of the whole file where a hunk's old side is not unique."""
    calls: list[Call] = []
    text = before
    for hunk in hunks:
        old, new = _side(hunk, b" -"), _side(hunk, b" +")
        if not old or text.count(old) != 1:
            return (Call("write", {"file_path": path, "content": after}),)
        text = text.replace(old, new)
        calls.append(Call("edit", {"file_path": path, "old_string": old, "new_string": new}))
    return tuple(calls)


def _shell_calls(change: FileChange) -> tuple[Call, ...]:
    commands: list[str] = []
    if change.old_path not in {None, change.new_path} and not change.is_copy:
        commands.append(f"rm -- {shlex.quote(change.old_path or '')}")
    if change.new_path is not None and change.new_mode not in {None, change.old_mode}:
        executable = change.new_mode == EXECUTABLE
        if executable or change.old_mode == EXECUTABLE:
            sign = "+" if executable else "-"
            commands.append(f"chmod {sign}x -- {shlex.quote(change.new_path)}")
    return tuple(Call("bash", {"command": command}) for command in commands)


def _side(hunk: Hunk, kinds: bytes) -> str:
    return b"".join(line[1:] for line in hunk.lines if line[:1] in kinds).decode()


def _text(data: bytes, path: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InvalidPatch("not_text", "text tools cannot make this change", path) from None
