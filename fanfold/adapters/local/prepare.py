"""`[prepare]`: what its commands make beside the tree's own files goes into every checkout."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import itertools
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from fanfold.adapters.local.overlays import lay_over
from fanfold.adapters.local.shell import PREPARED
from fanfold.errors import PrepareFailed
from fanfold.ports import Workspace
from fanfold.run.incidents import hosts

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

_LOCKFILES = (
    *("*.lock", "*.lockb", "*.lockfile", "package-lock.json", "npm-shrinkwrap.json"),
    *("pnpm-lock.yaml", "package.json", "go.mod", "go.sum", "pyproject.toml", "setup.py"),
    *("setup.cfg", "requirements*.txt", "requirements*.in", "environment.y*ml", "Cargo.toml"),
    *("Gemfile", "composer.json", "pom.xml", "build.gradle*", "mix.exs", "Package.resolved"),
    *(".python-version", ".nvmrc", ".node-version", ".tool-versions", "rust-toolchain*"),
)

_BUILT_IN = frozenset(
    ("target", "build", "dist", "node_modules", ".venv", "venv", ".gradle", PREPARED)
)

MAKING = "making-"
# So many files take longer to copy than to show; the probe has a name that no pattern expects.
_MANY, _PROBE = 200, "fanfold-9b1c7e"
_NOW = fcntl.LOCK_EX | fcntl.LOCK_NB


class Checkout(Workspace, Protocol):
    """A workspace with a shell, whose files lie below `root`."""

    @property
    def root(self) -> Path: ...


class Layers:
    """Layers below `home`, one for each digest of lockfiles, commands and architecture.

    `open_checkout` gives a checkout of a tree whose sandbox may reach the network; what a failed
    command said is told after `redact`. `furnish` is for `GitWorkspaces`; where `can_overlay` says
    so of the layers' home, their sandbox shows large folders as they lie in the layer.
    """

    def __init__(
        self,
        home: Path,
        open_checkout: Callable[[str], Checkout],
        commands: Sequence[str],
        *,
        timeout_s: float = 1800.0,
        can_overlay: Callable[[Path], bool] = lambda _: False,
        redact: Callable[[str], str] = str,
    ) -> None:
        self._home, self._open, self._commands = home, open_checkout, tuple(commands)
        self._timeout, self._can_overlay, self._redact = timeout_s, can_overlay, redact
        self._lock = threading.Lock()
        self._known: dict[str, Path] = {}

    def furnish(self, tree: str, root: Path) -> Sequence[str]:
        """Put the layer of `tree` into the empty folder `root`; gives patterns to leave out.

        Makes the layer where there is none yet. Raises `PrepareFailed`.
        """
        if not self._commands:
            return ()
        while True:
            layer = self._layer(tree)
            with _held(layer, fcntl.LOCK_SH):
                if layer.is_dir():
                    os.utime(layer)
                    copy(sorted((layer / "files").iterdir()), root)
                    self._show(layer, root)
                    patterns = (layer / "patterns.json").read_bytes()
                    return msgspec.json.decode(patterns, type=list[str])
            with self._lock:
                self._known.pop(tree, None)

    def _show(self, layer: Path, root: Path) -> None:
        """The large folders of a layer: over it where that can be, else as copies."""
        index = layer / "folders.json"
        names = msgspec.json.decode(index.read_bytes(), type=list[str]) if index.is_file() else []
        folders = {name: layer / "folders" / str(n) for n, name in enumerate(names)}
        if folders and self._overlays:
            lay_over(root, folders)
            return
        for name, folder in folders.items():
            (root / name).mkdir(parents=True)
            copy(sorted(folder.iterdir()), root / name)

    @cached_property
    def _overlays(self) -> bool:
        return self._can_overlay(self._home)

    def _layer(self, tree: str) -> Path:
        with self._lock:
            if tree not in self._known:
                workspace = self._open(tree)
                try:
                    self._known[tree] = self._made(workspace)
                finally:
                    workspace.close()
            return self._known[tree]

    def _made(self, workspace: Checkout) -> Path:
        """The layer on disk; other processes wait for the one that makes it."""
        layer = self._home / layer_digest(workspace, self._commands)
        self._home.mkdir(parents=True, exist_ok=True)
        with _held(layer, fcntl.LOCK_EX):
            for half in self._home.glob(f"{MAKING}{layer.name}-*"):
                shutil.rmtree(half)
            if not layer.exists():
                self._make(workspace, layer)
        return layer

    def _make(self, workspace: Checkout, layer: Path) -> None:
        prefix = f"{MAKING}{layer.name}-"
        with tempfile.TemporaryDirectory(dir=self._home, prefix=prefix) as folder:
            made = Path(folder) / "layer"
            files = made / "files"
            files.mkdir(parents=True)
            patterns = prepare(workspace, self._commands, files, self._timeout, self._redact)
            (made / "patterns.json").write_bytes(msgspec.json.encode(patterns))
            names = _set_apart(workspace, made)
            (made / "folders.json").write_bytes(msgspec.json.encode(names))
            made.rename(layer)


def prepare(
    workspace: Checkout,
    commands: Sequence[str],
    files: Path,
    timeout_s: float,
    redact: Callable[[str], str] = str,
) -> list[str]:
    """Run `commands`, each for `timeout_s` at most, and move what they made beside the tree's own
    files to the empty folder `files`. Gives patterns of what a tree leaves out.

    What is made may hold the path of the checkout as its commands saw it. Raises `PrepareFailed`.
    """
    tracked = set(workspace.files())
    workspace.run(f"mkdir -p {PREPARED}", timeout_s)
    for command in commands:
        result = workspace.run(command, timeout_s)
        if result.exit_code:
            denied = hosts(result.incidents)
            raise PrepareFailed(command, result.exit_code, redact(result.output), denied)
    workspace.run(f"rmdir {PREPARED} 2>/dev/null", timeout_s)
    fresh = sorted(set(workspace.files()) - tracked)
    for output in outputs(workspace.root, tracked):
        place = files / output.relative_to(workspace.root)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(output, place)
    return _left_out(fresh, tracked)


def _left_out(fresh: Iterable[str], tracked: Iterable[str]) -> list[str]:
    """Patterns for what was made and the tree's own do not leave out.

    A folder that tools build in goes with all that is to come; in others there may be work.
    """
    shared = {parent.as_posix() for path in tracked for parent in Path(path).parents}
    patterns: dict[str, None] = {}
    for path in fresh:
        folders = [p.as_posix() for p in reversed(Path(path).parents) if p.name in _BUILT_IN]
        built = next((folder for folder in folders if folder not in shared), None)
        patterns[f"/{_literal(path)}" if built is None else f"/{_literal(built)}/"] = None
    return list(patterns)


def _set_apart(workspace: Checkout, layer: Path) -> list[str]:
    """Move large folders of `files` to `folders`; gives their paths below the tree, in order.

    Only such as a tree leaves out with whatever is in them, also what is not there yet.
    """
    files, folders = layer / "files", layer / "folders"
    folders.mkdir()
    shared = {parent.as_posix() for path in workspace.files() for parent in Path(path).parents}
    names = [name for name in _outermost(files, shared) if _is_large(files / name)]
    probes = {name: f"{name}/{_PROBE}" for name in names}
    for probe in probes.values():
        place = workspace.root / probe
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    seen = set(workspace.files())
    apart = [name for name, probe in probes.items() if probe not in seen]
    for number, name in enumerate(apart):
        shutil.move(files / name, folders / str(number))
    return apart


def _outermost(files: Path, shared: set[str]) -> Iterator[str]:
    """The folders of a layer that no folder of the tree is, as paths."""
    pending = [files]
    while pending:
        for place in sorted(pending.pop().iterdir()):
            if place.is_dir() and not place.is_symlink():
                name = place.relative_to(files).as_posix()
                if name in shared:
                    pending.append(place)
                else:
                    yield name


def _is_large(folder: Path) -> bool:
    found = itertools.chain.from_iterable(files for _, _, files in os.walk(folder))
    return sum(1 for _ in itertools.islice(found, _MANY)) == _MANY


def layer_digest(workspace: Workspace, commands: Sequence[str]) -> str:
    """The name of a layer: system and architecture, commands, and each lockfile with its path."""
    digest = hashlib.sha256()
    for part in (platform.system(), platform.machine(), *commands):
        digest.update(part.encode() + b"\0")
    for path in workspace.files():
        name = path.rpartition("/")[2]
        if any(fnmatchcase(name, pattern) for pattern in _LOCKFILES):
            content = hashlib.sha256(workspace.read(path)).digest()
            digest.update(os.fsencode(path) + b"\0" + content)
    return digest.hexdigest()[:32]


def clean_layers(home: Path, unused_s: float) -> int:
    """Remove layers that no checkout was made from for so long; gives how many went.

    One that is being made or copied stays.
    """
    gone = 0
    for layer in sorted(home.iterdir()) if home.is_dir() else ():
        if not layer.is_dir() or time.time() - layer.stat().st_mtime < unused_s:
            continue
        name = layer.name.removeprefix(MAKING).partition("-")[0]
        with contextlib.suppress(BlockingIOError), _held(home / name, _NOW):
            shutil.rmtree(layer)
            gone += 1
    return gone


@contextlib.contextmanager
def _held(layer: Path, how: int) -> Generator[None]:
    """The lock of a layer, beside it; it goes when the block ends, or the process does."""
    with layer.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, how)
        yield


def outputs(root: Path, tracked: set[str]) -> Iterator[Path]:
    """The outermost files and folders below `root` that hold nothing tracked; never `.git`."""
    folders = {parent.as_posix() for path in tracked for parent in Path(path).parents}
    pending = [root]
    while pending:
        for place in sorted(pending.pop().iterdir()):
            path = place.relative_to(root).as_posix()
            if path == ".git" or path in tracked:
                continue
            if path in folders and place.is_dir() and not place.is_symlink():
                pending.append(place)
            else:
                yield place


def copy(places: Sequence[Path], folder: Path) -> None:
    """Copy into `folder`, sharing blocks where the file system can; never by hard links."""
    if not places:
        return
    if sys.platform == "linux":
        command = ["cp", "-a", "--reflink=auto", "--", *map(str, places), str(folder)]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603
        return
    for place in places:
        if place.is_dir() and not place.is_symlink():
            shutil.copytree(place, folder / place.name, symlinks=True)
        else:
            shutil.copy2(place, folder / place.name, follow_symlinks=False)


def _literal(path: str) -> str:
    """A path as a pattern of `.gitignore` that matches it alone."""
    return re.sub(r"([\\*?\[\] ])", r"\\\1", path)
