"""The patch gate: what a patch must prove before anything of it is merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from fanfold.errors import InvalidPatch
from fanfold.patch.apply import Edits, edits
from fanfold.patch.globs import any_matches
from fanfold.patch.limits import FILE_BYTES, TOTAL_BYTES, Limits
from fanfold.patch.model import EXECUTABLE, GITLINK, REGULAR, SYMLINK, FileChange, Patch
from fanfold.patch.names import check_new_path, check_path, check_target, plain, prefixes, resolve
from fanfold.patch.objects import Objects
from fanfold.patch.protected import is_named, protecting
from fanfold.patch.trees import Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pygit2

    from fanfold.patch.model import Entry
    from fanfold.patch.trees import Pair

MODES = frozenset((REGULAR, EXECUTABLE, SYMLINK))
NEVER_LINKS = frozenset((".gitmodules", ".gitattributes", ".gitignore", ".mailmap"))
MAX_LINKS = 40


class Finding(Protocol):
    """A detected secret: of which kind, at which line of the text, from 1."""

    @property
    def kind(self) -> str: ...
    @property
    def line(self) -> int: ...


class Scanner(Protocol):
    """Finds secrets in text (`ports.SecretScanner` is one)."""

    def find(self, text: str) -> Sequence[Finding]: ...


class Gated(msgspec.Struct, frozen=True):
    """A patch that passed, without its control-file changes; `dropped_paths` are those.

    `edits` is what it does to its base, for the merge to use as it is.
    """

    patch: Patch
    edits: Edits
    dropped_paths: tuple[str, ...] = ()


def check(
    patch: Patch,
    repo: pygit2.Repository | Objects,
    base_tree: str,
    *,
    writes: Sequence[str] | None = None,
    control: Callable[[str], bool] | None = None,
    max_file_bytes: int = FILE_BYTES,
    scanner: Scanner | None = None,
    cleared: bool = False,
) -> Gated:
    """Let the patch through, without its changes of control files.

    `writes` are the globs a task declared (None: it declared none, so any path). For many patches
    give `Objects(repo)`, which reads each tree once. `cleared`: a person let its protected paths
    through.

    Raises `InvalidPatch` naming rule and path: `bad_name`, `path_escape`, `dotgit_path`,
    `submodule`, `bad_mode`, `protected_path`, `path_outside_write_set`, `base_mismatch`,
    `hunk_mismatch`, `oid_mismatch`, `bad_binary`, `file_too_large`, `patch_too_large`,
    `duplicate_path`, `below_symlink`, `file_directory_conflict`, `symlink_escape`,
    `case_collision`, `secret`, `bad_tree`, `missing_object`.
    """
    for path in patch.paths:
        check_path(path)
    kept: list[FileChange] = []
    dropped: dict[str, None] = {}
    for change in patch.changes:
        if control is not None and any(map(control, change.paths)):
            dropped.update(dict.fromkeys(change.paths))
        else:
            kept.append(change)
    patch = Patch(tuple(kept))
    for change in kept:
        _check_change(change, writes, cleared=cleared)
    objects = Objects(repo)
    base = Tree(objects, base_tree)
    limits = Limits(max_file_bytes, max(TOTAL_BYTES, max_file_bytes))
    made = edits(patch, base, objects, limits=limits)
    _check_result(made.changes, base, Tree(objects, base_tree), objects)
    if scanner is not None:
        for change in kept:
            _check_secrets(change, made.changes, objects, scanner)
    return Gated(patch, made, tuple(dropped))


def _check_change(change: FileChange, writes: Sequence[str] | None, *, cleared: bool) -> None:
    if GITLINK in (change.old_mode, change.new_mode):
        raise InvalidPatch("submodule", "submodules are not supported", change.path)
    if change.new_mode is not None and change.new_mode not in MODES:
        raise InvalidPatch("bad_mode", f"mode {change.new_mode:06o}", change.path)
    for path in (change.new_path,) if change.is_copy else change.paths:
        if path is not None:
            _check_write(path, writes, cleared=cleared)


def _check_write(path: str, writes: Sequence[str] | None, *, cleared: bool) -> None:
    anchor = protecting(path)
    if anchor is not None and not cleared and not is_named(path, anchor, writes or ()):
        raise InvalidPatch("protected_path", "the task does not name it among its files", path)
    if plain(path.rpartition("/")[2]) == ".gitmodules":
        raise InvalidPatch("submodule", "submodules are not supported", path)
    if writes is not None and not any_matches(writes, path):
        raise InvalidPatch("path_outside_write_set", f"declared are {', '.join(writes)!r}", path)


def _check_result(changed: Mapping[str, Pair], base: Tree, result: Tree, objects: Objects) -> None:
    # Removals go first: a file may take the place of a directory that empties.
    for path, (_, entry) in sorted(changed.items(), key=lambda change: change[1][1] is not None):
        result.set(path, entry)
    for path, (_, entry) in changed.items():
        if entry is None:
            continue
        if base.get(path) is None:
            check_new_path(path)
            twin = result.twin(path, known=base)
            if twin is not None:
                raise InvalidPatch("case_collision", f"{twin!r} differs in case or form only", path)
        if entry.mode == SYMLINK:
            _check_link(path, entry, result, objects)


def _check_link(path: str, entry: Entry, result: Tree, objects: Objects) -> None:
    """Follow a link through every other link it passes: none of them may leave the tree."""
    if plain(path.rpartition("/")[2]) in NEVER_LINKS:
        raise InvalidPatch(
            "symlink_escape", "git reads this file and must find no link there", path
        )
    pending, seen = [(path, entry)], {path}
    while pending and len(seen) <= MAX_LINKS:
        at, link = pending.pop()
        target = objects.blob(link.oid, at)
        check_target(at, target)
        for prefix in prefixes(resolve(at, target)):
            there = result.file(prefix) if prefix else None
            if there is not None and there.mode == SYMLINK and prefix not in seen:
                seen.add(prefix)
                pending.append((prefix, there))


def _check_secrets(
    change: FileChange, changed: Mapping[str, Pair], objects: Objects, scanner: Scanner
) -> None:
    path = change.new_path
    entry = changed[path][1] if path is not None else None
    if path is None or entry is None:
        return
    if change.binary is not None:
        lines, numbers = objects.blob(entry.oid, path).split(b"\n"), None
    else:
        lines, numbers = _added(change)
    for finding in scanner.find(b"\n".join(lines).decode("utf-8", "replace")):
        line = finding.line if numbers is None else numbers[min(finding.line, len(numbers)) - 1]
        raise InvalidPatch("secret", f"a secret ({finding.kind}) is added at line {line}", path)


def _added(change: FileChange) -> tuple[list[bytes], list[int]]:
    """The added lines, and the number that each has in the new file."""
    lines: list[bytes] = []
    numbers: list[int] = []
    for hunk in change.hunks:
        number = hunk.new_start
        for line in hunk.lines:
            if line.startswith(b"+"):
                lines.append(line[1:].rstrip(b"\n"))
                numbers.append(number)
            number += not line.startswith(b"-")
    return lines, numbers
