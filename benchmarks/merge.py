"""What folding patches costs, beside git doing the same, on a repository of 13,000 files.

Ours is a whole process: start, imports, reading and gating the patches, merging, and writing one
pack. `git apply --3way` runs patch by patch in a work tree, `git merge-tree` with `commit-tree`
patch by patch on commits that are there already. Exits 1 when a bound is broken.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pygit2

from fanfold.patch.gate import check
from fanfold.patch.merge import Applied, Incoming, merge
from fanfold.patch.model import REGULAR, Entry
from fanfold.patch.objects import EMPTY_TREE, Objects
from fanfold.patch.read import read_patch
from fanfold.patch.trees import Tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.patch.pack import Pack

FILES, SMALL = 13_000, 1_300
LINES = 60
SIZES = (2, 10, 50, 200)
OVERLAPPING = 50
APPLY_BOUND, MERGE_TREE_BOUND, MEMORY_BOUND_MB, GROWTH_BOUND = 10.0, 3.0, 200, 2.0
ROUNDS = 3
Edits = Sequence[tuple[int, int]]


class Set(NamedTuple):
    """A set of patches as files, and the commits that hold the same changes."""

    name: str
    patches: tuple[Path, ...]
    commits: tuple[str, ...]


def main() -> int:
    if len(sys.argv) > 1:
        repo, base, *patches = sys.argv[1:]
        return fold(Path(repo), base, patches)
    print(f"{'patches':>16} {'ours':>8} {'apply --3way':>13} {'merge-tree':>11} {'ours MB':>8}")
    with tempfile.TemporaryDirectory() as name:
        large = Bench(Path(name) / "large", FILES)
        small = Bench(Path(name) / "small", SMALL)
        rows = [large.measure(disjoint(large, count)) for count in SIZES]
        large.measure(overlapping(large))
        last = disjoint(small, SIZES[-1])
        growth = rows[-1][0] / min(small.ours(last)[0] for _ in range(ROUNDS))
    ours, apply, merge_tree, megabytes = rows[-1]
    print(f"at {SIZES[-1]}: apply --3way / ours {apply / ours:.1f} (at least {APPLY_BOUND})")
    print(
        f"at {SIZES[-1]}: merge-tree / ours {merge_tree / ours:.1f} (at least {MERGE_TREE_BOUND})"
    )
    print(f"{FILES} files / {SMALL} files: {growth:.2f} (at most {GROWTH_BOUND})")
    kept = apply / ours >= APPLY_BOUND and merge_tree / ours >= MERGE_TREE_BOUND
    return 0 if kept and megabytes <= MEMORY_BOUND_MB and growth <= GROWTH_BOUND else 1


def fold(repo_path: Path, base: str, patches: Sequence[str]) -> int:
    """The child: what `fanfold merge` does, without the command line; prints its peak memory."""
    repo = pygit2.Repository(str(repo_path))
    objects = Objects(repo)
    incoming: list[Incoming] = []
    for path in patches:
        gated = check(read_patch(Path(path).read_bytes()), objects, base)
        incoming.append(Incoming(path, gated.patch, base, gated.edits))
    result = merge(objects, base, incoming)
    if not all(isinstance(outcome, Applied) for outcome in result.outcomes):
        return 1
    install(repo, result.pack())
    print(result.tree, peak_megabytes())
    return 0


def peak_megabytes() -> int:
    """This process's own peak: what getrusage says includes the parent's at the fork."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    rows = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(rows["VmHWM"].split()[0]) // 1024


def install(repo: pygit2.Repository, pack: Pack) -> None:
    folder = Path(repo.path) / "objects" / "pack"
    folder.mkdir(exist_ok=True)
    (folder / f"{pack.name}.pack").write_bytes(pack.data)
    (folder / f"{pack.name}.idx").write_bytes(pack.index)


class Bench:
    """A generated repository with a work tree, and the three ways to fold patches into it."""

    def __init__(self, path: Path, files: int) -> None:
        self.path, self.files = path, files
        repo = pygit2.init_repository(str(path))
        objects = Objects(repo)
        tree = Tree(objects, EMPTY_TREE)
        for number in range(files):
            oid = objects.put("blob", content(number))
            tree.set(path_of(number), Entry(REGULAR, oid))
        self.tree = tree.write()
        install(repo, objects.pack())
        self.commit = self.git("commit-tree", "-m", "base", self.tree)
        self.git("update-ref", "refs/heads/main", self.commit)
        self.git("reset", "-q", "--hard", self.commit)

    def git(self, *args: str, ok: bool = True) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        done = subprocess.run(
            ["git", *who, *args], cwd=self.path, capture_output=True, text=True, check=ok
        )
        return done.stdout.strip()

    def patches(self, name: str, edits: Sequence[Edits]) -> Set:
        repo = pygit2.Repository(str(self.path))
        objects = Objects(repo)
        trees: list[str] = []
        for number, edit in enumerate(edits):
            tree = Tree(objects, self.tree)
            for file, line in edit:
                oid = objects.put("blob", content(file, {line: number}))
                tree.set(path_of(file), Entry(REGULAR, oid))
            trees.append(tree.write())
        install(repo, objects.pack())
        folder = self.path.parent / f"{self.path.name}-{name}"
        folder.mkdir()
        files: list[Path] = []
        for number, tree in enumerate(trees):
            files.append(folder / f"{number:04}.patch")
            text = self.git("diff", "--binary", "--full-index", self.tree, tree)
            files[-1].write_text(text + "\n")
        commits = [self.git("commit-tree", "-p", self.commit, "-m", "p", tree) for tree in trees]
        return Set(name, tuple(files), tuple(commits))

    def measure(self, patches: Set) -> tuple[float, float, float, int]:
        tries = [self.ours(patches) for _ in range(ROUNDS)]
        ours, megabytes = min(tries)
        apply = seconds(lambda: self.apply(patches))
        merge_tree = seconds(lambda: self.merge_tree(patches))
        print(f"{patches.name:>16} {ours:7.2f}s {apply:12.2f}s {merge_tree:10.2f}s {megabytes:8}")
        return ours, apply, merge_tree, megabytes

    def ours(self, patches: Set) -> tuple[float, int]:
        command = [sys.executable, __file__, str(self.path / ".git"), self.tree]
        begin = time.perf_counter()
        done = subprocess.run(
            [*command, *map(str, patches.patches)], capture_output=True, text=True, check=True
        )
        return time.perf_counter() - begin, int(done.stdout.split()[1])

    def apply(self, patches: Set) -> None:
        for path in patches.patches:
            self.git("apply", "--3way", str(path))
        self.git("reset", "-q", "--hard", self.commit)

    def merge_tree(self, patches: Set) -> None:
        tip = self.commit
        for commit in patches.commits:
            tree = self.git("merge-tree", "--write-tree", tip, commit).split()[0]
            tip = self.git("commit-tree", "-p", tip, "-p", commit, "-m", "m", tree)


def seconds(action: Callable[[], None]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def disjoint(bench: Bench, count: int) -> Set:
    """Each patch changes a line in each of three files that no other patch touches."""
    step = bench.files // (3 * SIZES[-1])
    edits = [[((3 * n + at) * step, 7) for at in range(3)] for n in range(count)]
    return bench.patches(f"{count} disjoint", edits)


def overlapping(bench: Bench) -> Set:
    """All patches change the same three files, each at a line of its own."""
    edits = [[(at * 1000, n + 3) for at in range(3)] for n in range(0, OVERLAPPING)]
    return bench.patches(f"{OVERLAPPING} overlapping", edits)


def path_of(number: int) -> str:
    """Five files a directory, eight directories a component, as large projects have them."""
    component, directory = number // 40, number // 5
    return (
        f"src/packages/component_{component:03}/library/area_{directory:04}/module_{number:05}.py"
    )


def content(number: int, changed: dict[int, int] | None = None) -> bytes:
    lines = [f"value_{at} = {number * at}  # line {at} of {number}" for at in range(LINES * 3)]
    for at, by in (changed or {}).items():
        lines[at * 3] = f"value_{at} = 'changed by {by}'"
    return "\n".join(lines).encode() + b"\n"


if __name__ == "__main__":
    sys.exit(main())
