"""A result goes into the user's branch and out again, and nothing of the user's is lost."""

from __future__ import annotations

import shutil
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.git.apply import apply, undo
from fanfold.adapters.git.repository import open_repository
from fanfold.errors import ApplyRefused, FanfoldError
from tests.fakes.repositories import git, make_repository, write_files

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "a.txt": "1\n2\n3\n4\n5\n6\n7\n8\n9\n",
    "mine.txt": "mine\n",
    "old/gone.txt": "gone\n",
    "run.sh": "#!/bin/sh\n",
    "becomes-folder": "file\n",
    "becomes-file/x": "x\n",
    ".gitignore": "*.log\nbuild/\n",
}


class Project:
    """A user's repository with a run's result on the branch `fanfold/r1`."""

    def __init__(self, root: Path) -> None:
        self.root, self.base, self.tip = root, "", ""

    def make(self) -> None:
        make_repository(self.root, FILES)
        self.base = self.git("rev-parse", "HEAD")
        self.git("checkout", "-qb", "fanfold/r1")
        self.write({"a.txt": FILES["a.txt"].replace("9", "nine"), "new/deep/b.bin": b"\x00\xff\n"})
        self.git("rm", "-rq", "old", "becomes-folder", "becomes-file")
        self.write({"becomes-folder/y": "y\n", "becomes-file": "now a file\n", "link@": "a.txt"})
        (self.root / "run.sh").chmod(0o755)
        self.tip = self.commit("the run")
        self.git("checkout", "-q", "main")

    def git(self, *arguments: str) -> str:
        return git(self.root, *arguments).decode().strip()

    def write(self, files: dict[str, bytes | str]) -> None:
        write_files(self.root, files)

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-qm", message)
        return self.git("rev-parse", "HEAD")

    def state(self) -> dict[str, object]:
        """All that must be as before: files with modes, index, HEAD, branch."""
        files = {
            p.relative_to(self.root).as_posix(): _content(p)
            for p in sorted(self.root.rglob("*"))
            if not {".git", ".ai-workspace"} & set(p.relative_to(self.root).parts)
        }
        index = self.git("ls-files", "--stage", "-v")
        return {"files": files, "index": index, "head": self.git("rev-parse", "HEAD", "main")}

    def apply(self, *, no_commit: bool = False) -> object:
        return apply(self.root, self.tip, self.base, run="r1", no_commit=no_commit).how


def _content(place: Path) -> object:
    if place.is_symlink():
        return f"-> {place.readlink()}"
    mode = oct(stat.S_IMODE(place.stat().st_mode))
    return mode if place.is_dir() else (mode, place.read_bytes())


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("template") / "repo")
    made.make()
    return made


@pytest.fixture
def project(template: Project, tmp_path: Path) -> Project:
    copy = Project(tmp_path / "repo")
    shutil.copytree(template.root, copy.root, symlinks=True)
    copy.base, copy.tip = template.base, template.tip
    return copy


def test_an_unmoved_branch_is_fast_forwarded(project: Project) -> None:
    applied = apply(project.root, "fanfold/r1", project.base, run="r1")
    assert (applied.how, applied.branch, applied.head) == ("fast_forward", "main", project.tip)
    assert project.git("rev-parse", "main") == project.tip
    assert project.git("status", "--porcelain") == "?? .ai-workspace/"
    assert "new/deep/b.bin" in applied.paths
    assert not (project.root / "old").exists()


def test_a_moved_branch_is_merged(project: Project) -> None:
    project.write({"a.txt": FILES["a.txt"].replace("1", "one"), "other.txt": "other\n"})
    moved = project.commit("meanwhile")
    assert project.apply() == "merge"
    assert project.git("log", "-1", "--format=%P") == f"{moved} {project.tip}"
    assert (project.root / "a.txt").read_text() == "one\n2\n3\n4\n5\n6\n7\n8\nnine\n"
    assert project.git("status", "--porcelain") == "?? .ai-workspace/"


def test_a_conflict_with_the_branch_changes_nothing(project: Project) -> None:
    project.write({"a.txt": FILES["a.txt"].replace("9", "NINE")})
    project.commit("meanwhile")
    before = project.state()
    with pytest.raises(ApplyRefused, match=r"conflicts with the branch.*'a\.txt'") as refused:
        project.apply()
    assert refused.value.paths == ("a.txt",)
    assert project.state() == before


def test_applying_what_is_there_does_nothing(project: Project) -> None:
    project.git("merge", "-q", project.tip)
    assert project.apply() == "nothing"


@pytest.mark.parametrize("no_commit", [False, True])
def test_changes_elsewhere_stay_exactly_as_they_are(project: Project, no_commit: bool) -> None:
    project.write({"mine.txt": "staged\n", "untracked.txt": "u\n", "x.log": "ignored\n"})
    project.git("add", "mine.txt")
    project.write({"mine.txt": "and changed again\n", "added.txt": "added\n"})
    project.git("add", "-N", "added.txt")
    project.apply(no_commit=no_commit)
    assert (project.root / "mine.txt").read_text() == "and changed again\n"
    assert project.git("show", ":mine.txt") == "staged"
    status = project.git("status", "--porcelain").splitlines()
    assert {"MM mine.txt", "A added.txt", "?? untracked.txt"} <= {row.strip() for row in status}
    assert (project.root / "a.txt").read_text().endswith("nine\n")


def test_without_a_commit_only_files_change(project: Project) -> None:
    before = project.state()
    assert project.apply(no_commit=True) == "content"
    after = project.state()
    assert (after["index"], after["head"]) == (before["index"], before["head"])
    project.git("add", "-A", ":!.ai-workspace")
    assert project.git("write-tree") == project.git("rev-parse", f"{project.tip}^{{tree}}")


@pytest.mark.parametrize("no_commit", [False, True])
@pytest.mark.parametrize("moved", [False, True])
def test_undo_takes_it_back_exactly(project: Project, no_commit: bool, moved: bool) -> None:
    project.git("config", "core.autocrlf", "true")
    if moved:
        project.write({"other.txt": "other\n"})
        project.commit("meanwhile")
    project.write({"mine.txt": "changed\r\n", "untracked.txt": "u\n", "old/keep.log": "k\n"})
    project.git("add", "mine.txt")
    (project.root / "run.sh").chmod(0o600)
    (project.root / "new").mkdir()
    before = project.state()
    project.apply(no_commit=no_commit)
    assert project.state() != before
    undo(project.root, run="r1")
    assert project.state() == before
    assert project.git("for-each-ref", "refs/fanfold") == ""
    with pytest.raises(ApplyRefused, match="nothing to undo"):
        undo(project.root, run="r1")


@pytest.mark.parametrize(
    ("place", "content"),
    [
        ("a.txt", "my unsaved work\n"),
        ("new/deep/b.bin", "untracked\n"),
        ("new", "a file where a folder must come\n"),
        ("becomes-folder", "changed\n"),
        ("becomes-file/mine.log", "ignored\n"),
        ("link", "untracked\n"),
        ("new/deep@", "/tmp"),
        ("old/gone.txt", "changed\n"),
    ],
)
@pytest.mark.parametrize("no_commit", [False, True])
def test_overlaps_are_refused_by_name(
    project: Project, place: str, content: str, no_commit: bool
) -> None:
    project.write({place: content})
    before = project.state()
    with pytest.raises(ApplyRefused, match="in the way") as refused:
        project.apply(no_commit=no_commit)
    assert refused.value.paths == (place.rstrip("@"),)
    assert project.state() == before
    assert not (project.root / ".ai-workspace").exists()


def test_ignored_files_of_the_user_are_in_the_way_too(project: Project) -> None:
    project.git("checkout", "-q", "fanfold/r1")
    project.write({"build/out": "result\n"})
    project.git("add", "-f", "build/out")
    project.git("commit", "-qm", "more")
    project.tip = project.git("rev-parse", "HEAD")
    project.git("checkout", "-q", "main")
    project.write({"build/out": "my own build\n"})
    with pytest.raises(ApplyRefused, match="'build/out'"):
        project.apply()
    assert (project.root / "build/out").read_text() == "my own build\n"


def test_staged_changes_are_in_the_way_even_when_the_file_is_as_before(project: Project) -> None:
    project.write({"a.txt": "staged\n"})
    project.git("add", "a.txt")
    project.write({"a.txt": FILES["a.txt"]})
    with pytest.raises(ApplyRefused, match=r"'a\.txt'"):
        project.apply()


def test_hidden_changes_are_in_the_way(project: Project) -> None:
    project.git("update-index", "--assume-unchanged", "a.txt")
    project.write({"a.txt": "hidden\n"})
    with pytest.raises(ApplyRefused, match="assume-unchanged"):
        project.apply()


def test_undo_refuses_once_files_changed(project: Project) -> None:
    project.apply()
    project.write({"a.txt": "new work\n", "new/deep/b.bin": "new work\n"})
    after = project.state()
    with pytest.raises(ApplyRefused) as refused:
        undo(project.root, run="r1")
    assert refused.value.paths == ("a.txt", "new/deep/b.bin")
    assert project.state() == after


def test_undo_refuses_once_the_branch_moved(project: Project) -> None:
    project.apply()
    project.write({"more.txt": "more\n"})
    project.commit("more")
    with pytest.raises(ApplyRefused, match="git revert"):
        undo(project.root, run="r1")


def test_a_second_apply_is_refused(project: Project) -> None:
    project.apply(no_commit=True)
    with pytest.raises(ApplyRefused, match="applied already"):
        project.apply()


def test_a_merge_in_progress_is_refused(project: Project) -> None:
    project.write({"a.txt": FILES["a.txt"].replace("9", "NINE")})
    project.commit("meanwhile")
    git(project.root, "checkout", "-q", "-B", "main")
    with pytest.raises(Exception, match="returned non-zero"):
        project.git("merge", "fanfold/r1")
    with pytest.raises(ApplyRefused, match="merge is in progress"):
        project.apply()


def test_a_failure_in_the_middle_is_rolled_back(project: Project) -> None:
    before = project.state()
    (project.root / ".git" / "index.lock").write_text("")
    with pytest.raises(FanfoldError, match="File exists"):
        project.apply()
    (project.root / ".git" / "index.lock").unlink()
    assert project.state() == before
    assert project.apply() == "fast_forward"


def test_no_hook_runs(project: Project) -> None:
    for hook in (
        "post-checkout",
        "post-merge",
        "pre-commit",
        "reference-transaction",
        "post-index-change",
    ):
        project.write({f".git/hooks/{hook}*": "#!/bin/sh\ntouch ran\n"})
    project.apply()
    assert not (project.root / "ran").exists()


def test_line_ends_and_filters_are_the_users(project: Project) -> None:
    project.git("config", "core.autocrlf", "true")
    project.git("config", "filter.shout.smudge", "tr a-z A-Z")
    project.git("config", "filter.shout.clean", "tr A-Z a-z")
    project.write({".gitattributes": "*.bin filter=shout -text\na.txt text\n"})
    project.base = project.commit("attributes")
    project.git("checkout", "-q", "fanfold/r1")
    project.git("rebase", "-q", "main")
    project.write({"word.bin": "LOUD\n"})
    project.tip = project.commit("loud")
    project.git("checkout", "-q", "main")
    project.apply()
    assert (project.root / "word.bin").read_bytes() == b"LOUD\n"
    assert b"nine\r\n" in (project.root / "a.txt").read_bytes()
    assert project.git("status", "--porcelain") == "?? .ai-workspace/"


def snapshot_run(project: Project, edit: dict[str, str]) -> None:
    """A run from a snapshot of the uncommitted changes, that made `edit`."""
    repository = open_repository(project.root)
    when, who = datetime(2026, 1, 2, tzinfo=UTC), ("fanfold", "fanfold@localhost")
    tree = repository.dirty_tree()
    project.base = repository.commit(tree, project.base, "uncommitted", when, who)
    for path, content in edit.items():
        tree = repository.replace(tree, path, content.encode())
    project.tip = repository.commit(tree, project.base, "task", when, who)


def test_a_run_on_uncommitted_changes_leaves_them_uncommitted(project: Project) -> None:
    project.write({"a.txt": FILES["a.txt"].replace("1", "mine"), "mine.txt": "m\n", "u.txt": "u\n"})
    before = project.state()
    both = FILES["a.txt"].replace("1", "mine").replace("9", "nine")
    snapshot_run(project, {"a.txt": both, "u.txt": "u\nrun\n", "fresh.txt": "f\n"})
    assert project.apply() == "merge"
    assert (project.root / "a.txt").read_text() == both
    assert project.git("show", "HEAD:a.txt") == FILES["a.txt"].replace("9", "nine").strip()
    assert (project.root / "u.txt").read_text() == "u\nrun\n"
    assert (project.root / "mine.txt").read_text() == "m\n"
    status = project.git("status", "--porcelain", ":!.ai-workspace").splitlines()
    assert [row.strip() for row in status] == ["M a.txt", "M mine.txt"]
    undo(project.root, run="r1")
    assert project.state() == before


def test_a_run_on_uncommitted_changes_respects_later_ones(project: Project) -> None:
    project.write({"a.txt": FILES["a.txt"].replace("1", "mine")})
    both = FILES["a.txt"].replace("1", "mine").replace("9", "nine")
    snapshot_run(project, {"a.txt": both})
    project.write({"a.txt": "later\n"})
    with pytest.raises(ApplyRefused, match=r"in the way.*'a\.txt'"):
        project.apply()
    assert (project.root / "a.txt").read_text() == "later\n"
