"""What every `Repository` does; diffs are judged by git itself."""

from __future__ import annotations

import subprocess
import threading
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanfold.adapters.git import trees
from fanfold.adapters.git.repository import GitRepository
from tests.fakes.repositories import git, write_files
from tests.fakes.repository_backends import REPOSITORIES

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    import pygit2

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
AUTHOR = ("Ann Ö", "ann@example.org")
EDGES = {
    "plain.txt": "a\nb\nc\n",
    "gone.txt": "gone\n",
    "empty": "",
    "mode.sh": "#!/bin/sh\n",
    "mode-and-text.sh*": "#!/bin/sh\nold\n",
    "no-newline": "a\nb",
    "crlf.txt": "a\r\nb\r\n",
    "latin1.txt": b"caf\xe9\nth\xe9\n",
    "binary": b"\x00\x01" * 300,
    "link@": "plain.txt",
    "to-link": "text\n",
    "from-link@": "elsewhere",
    "to-folder": "file\n",
    "from-folder/a": "a\n",
    "from-folder/b/c": "c\n",
    "with space.txt": "a\n",
    'quote"tab\tnewline\n.txt': "a\n",
    "ünï.txt": "a\n",
    "-- a": "-- b\n",
}
EDITS = {
    "plain.txt": "a\nB\nc\nd",
    "new/deep/file.txt": "+++ b/x\n--- a/x\n@@ -1 +1 @@\n",
    "now-empty": "",
    "empty": "full\n",
    "mode.sh*": "#!/bin/sh\n",
    "mode-and-text.sh": "#!/bin/sh\nnew\n",
    "no-newline": "a\nb\n",
    "crlf.txt": "a\nb\r\n",
    "latin1.txt": b"caf\xe9\nth\xe8\n",
    "binary": b"\x00\x01" * 299 + b"\x02",
    "link@": b"other\xff",
    "to-link@": "text",
    "from-link": "text\n",
    "to-folder/x": "x\n",
    "from-folder": "file\n",
    "with space.txt": "b\n",
    'quote"tab\tnewline\n.txt': "b\n",
    "ünï.txt": "b\n",
    "-- a": "-- c\n",
    "bom.txt": b"\xff\xfea\x00",
}


@pytest.fixture(params=list(REPOSITORIES))
def repository(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[GitRepository]:
    files = {"a.txt": "a\n", "bin/x*": "x\n", "link@": "a.txt"}
    with REPOSITORIES[request.param](tmp_path, files) as opened:
        yield opened


def tree_at(repository: GitRepository, files: dict[str, bytes]) -> str:
    """A tree of `files`, whose names may end in `*` or `@` as in `write_files`."""
    modes = {"*": trees.EXECUTABLE, "@": trees.LINK}
    changes: dict[str, trees.Entry | None] = {}
    for name, data in files.items():
        mode = modes.get(name[-1], trees.FILE)
        oid = str(repository.objects.create_blob(data))
        changes[name.rstrip("*@")] = trees.Entry(mode, oid)
    return trees.edit(repository.objects, trees.EMPTY_TREE, changes)


def applied(repository: GitRepository, base: str, patch: bytes, scratch: Path) -> str:
    """The tree that git makes of `patch` on `base`."""
    index = {"GIT_INDEX_FILE": str(scratch / "index")}
    (scratch / "index").unlink(missing_ok=True)
    command = ["env", *(f"{k}={v}" for k, v in index.items()), "git"]
    for arguments in (["read-tree", base], ["apply", "--cached", "--whitespace=nowarn"]):
        if patch or arguments[0] == "read-tree":
            subprocess.run(
                [*command, *arguments],
                cwd=repository.root,
                input=patch,
                check=True,
                capture_output=True,
            )
    done = subprocess.run(
        [*command, "write-tree"], cwd=repository.root, check=True, capture_output=True
    )
    return done.stdout.decode().strip()


def encoded(files: dict[str, bytes | str]) -> dict[str, bytes]:
    return {k: v.encode() if isinstance(v, str) else v for k, v in files.items()}


def test_diff_of_every_edge_case_is_what_git_applies(
    repository: GitRepository, tmp_path: Path
) -> None:
    old, new = tree_at(repository, encoded(EDGES)), tree_at(repository, encoded(EDITS))
    for base, tree in ((old, new), (new, old), (old, trees.EMPTY_TREE), (trees.EMPTY_TREE, new)):
        patch = repository.diff(base, tree)
        assert applied(repository, base, patch, tmp_path) == tree


def test_diff_has_the_headers_that_git_writes(repository: GitRepository) -> None:
    old, new = tree_at(repository, encoded(EDGES)), tree_at(repository, encoded(EDITS))
    theirs = git(repository.root, "diff", "--full-index", "--binary", "--no-renames", old, new)

    def headers(patch: bytes) -> list[bytes]:
        starts = (
            b"diff --git",
            b"index ",
            b"old mode",
            b"new mode",
            b"new file",
            b"deleted",
            b'+++ "',
        )
        return [line for line in patch.split(b"\n") if line.startswith(starts)]

    assert headers(repository.diff(old, new)) == headers(theirs)


_CONTENT = st.one_of(
    st.binary(max_size=60),
    st.lists(
        st.sampled_from([b"a\n", b"b\n", b"c\r\n", b"\n", b"d", b"\xff\n", b"\0"]), max_size=12
    ).map(b"".join),
)
_NAME = st.sampled_from(["a", "b", "c", "d/a", "d/b", "d/e/f", "ü", "x y", '"', "a.b", "a-b", "A"])
_FILES = st.dictionaries(
    st.builds(str.__add__, _NAME, st.sampled_from(["", "", "*"])), _CONTENT, max_size=6
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(old=_FILES, new=_FILES)
def test_diff_round_trips_any_content(
    repository: GitRepository, tmp_path: Path, old: dict[str, bytes], new: dict[str, bytes]
) -> None:
    base, tree = tree_at(repository, old), tree_at(repository, new)
    patch = repository.diff(base, tree)
    assert applied(repository, base, patch, tmp_path) == tree
    assert (patch == b"") == (base == tree)


def test_diff_ignores_attributes_and_configuration(repository: GitRepository) -> None:
    old, new = tree_at(repository, {"a.txt": b"a\n"}), tree_at(repository, {"a.txt": b"b\n"})
    before = repository.diff(old, new)
    write_files(repository.root, {".gitattributes": "* -diff -text\n"})
    git(repository.root, "config", "diff.noprefix", "true")
    git(repository.root, "config", "core.abbrev", "7")
    git(repository.root, "config", "diff.external", "/bin/false")
    assert GitRepository(repository.git_dir).diff(old, new) == before
    assert b"\n-a\n+b\n" in before


def test_read_gives_content_and_none_for_what_is_no_file(repository: GitRepository) -> None:
    tree = repository.tree_of("HEAD")
    assert repository.read(tree, "a.txt") == b"a\n"
    assert repository.read(tree, "link") == b"a.txt"
    for path in ("bin", "missing", "a.txt/below", "bin/missing"):
        assert repository.read(tree, path) is None


def test_replace_keeps_everything_else_and_the_executable_bit(repository: GitRepository) -> None:
    tree = repository.tree_of("HEAD")
    new = repository.replace(repository.replace(tree, "bin/x", b"y\n"), "n/e/w", b"n\n")
    listed = git(repository.root, "ls-tree", "-r", new).decode().splitlines()
    assert [(row.split()[0], row.split("\t")[1]) for row in listed] == [
        ("100644", "a.txt"),
        ("100755", "bin/x"),
        ("120000", "link"),
        ("100644", "n/e/w"),
    ]
    assert repository.replace(new, "a.txt", b"a\n") == new


def test_written_trees_are_sound_to_git(repository: GitRepository) -> None:
    tree = tree_at(repository, encoded({**EDGES, "a": "1", "a.b": "2", "a-b": "3", "z/a": "4"}))
    repository.set_ref("refs/heads/x", repository.commit(tree, "", "m", WHEN, AUTHOR))
    git(repository.root, "fsck", "--strict", "--no-dangling")


def test_commit_is_the_same_for_the_same_arguments_in_any_zone(repository: GitRepository) -> None:
    git(repository.root, "config", "commit.gpgSign", "true")
    write_files(repository.root, {".git/hooks/pre-commit*": "#!/bin/sh\ntouch ran\nexit 1\n"})
    tree, head = repository.tree_of("HEAD"), repository.commit_of("HEAD")
    there = WHEN.astimezone(timezone(timedelta(hours=9)))
    one = repository.commit(tree, head, "feat: ü\n\nbody\n", WHEN, AUTHOR)
    assert one == repository.commit(tree, head, "feat: ü\n\nbody\n", there, AUTHOR)
    told = git(repository.root, "log", "-1", "--format=%an <%ae> %ad %cd%n%B", "--date=raw", one)
    stamp = f"{int(WHEN.timestamp())} +0000"
    assert told.decode() == f"Ann Ö <ann@example.org> {stamp} {stamp}\nfeat: ü\n\nbody\n\n"
    assert not (repository.root / "ran").exists()


def test_set_ref_moves_a_branch(repository: GitRepository) -> None:
    head = repository.commit_of("HEAD")
    next_one = repository.commit(repository.tree_of("HEAD"), head, "m", WHEN, AUTHOR)
    repository.set_ref("refs/heads/fanfold/1", head)
    repository.set_ref("refs/heads/fanfold/1", next_one)
    assert git(repository.root, "rev-parse", "fanfold/1").decode().strip() == next_one


def test_notes_add_up_and_repeat_nothing(repository: GitRepository) -> None:
    head = repository.commit_of("HEAD")
    repository.note(head, "Task: one", WHEN, AUTHOR)
    first = git(repository.root, "rev-parse", "refs/notes/commits")
    repository.note(head, "Task: one", WHEN, AUTHOR)
    assert git(repository.root, "rev-parse", "refs/notes/commits") == first
    repository.note(head, "Task: two", WHEN, AUTHOR)
    repository.note(head, "Task: two", WHEN, AUTHOR)
    shown = git(repository.root, "notes", "show", head).decode()
    assert shown.strip() == "Task: one\n\nTask: two"


def test_kept_objects_survive_gc_and_others_do_not(repository: GitRepository) -> None:
    kept = tree_at(repository, {"kept": b"kept\n"})
    lost = tree_at(repository, {"lost": b"lost\n"})
    repository.keep("runs/1/merged", kept)
    git(repository.root, "gc", "-q", "--prune=now")
    fresh = GitRepository(repository.git_dir)
    assert fresh.read(kept, "kept") == b"kept\n"
    with pytest.raises(KeyError):
        fresh.read(lost, "lost")
    assert fresh.release("runs/1") == 1
    assert fresh.release("runs/1") == 0


def test_threads_may_share_a_repository(repository: GitRepository) -> None:
    tree = repository.tree_of("HEAD")
    made: dict[int, str] = {}

    def work(number: int) -> None:
        for step in range(20):
            made[number] = repository.replace(tree, f"f{number}", b"%d" % step)
            assert repository.read(made[number], f"f{number}") == b"%d" % step

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {repository.read(made[n], f"f{n}") for n in range(8)} == {b"19"}


def test_objects_is_a_handle_for_the_calling_thread(repository: GitRepository) -> None:
    seen: list[pygit2.Repository] = []
    thread = threading.Thread(target=lambda: seen.append(repository.objects))
    thread.start()
    thread.join()
    assert repository.objects is repository.objects
    assert seen[0] is not repository.objects
