"""The patch gate: what is dangerous is refused by a rule that has a name, the rest goes through."""

from __future__ import annotations

import zlib
from base64 import b85encode
from typing import TYPE_CHECKING

import pytest

from fanfold.errors import InvalidPatch
from fanfold.patch.gate import check
from fanfold.patch.read import read_patch
from tests.adapters.patch.repos import (
    EXECUTABLE,
    FILE,
    GITLINK,
    LINK,
    NULL,
    Content,
    bare,
    blob_id,
    changed_file,
    git_diff,
    new_file,
    write_tree,
)

if TYPE_CHECKING:
    import pygit2

THREE = b"one\ntwo\nthree\n"
LOUD = b"ONE\ntwo\nthree\n"
LOUD_HUNK = "@@ -1,3 +1,3 @@\n-one\n+ONE\n two\n three\n"
FILES: dict[str, Content] = {
    "README.md": b"hello\n",
    "d/f": THREE,
    "d/g": b"g\n",
    "src/a.py": b"a\n",
    "link": (LINK, b"/etc"),
    "dlink": (LINK, b"d"),
    "aux.c": b"old\n",
    "plan.md": b"- [ ] a\n",
}


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> pygit2.Repository:
    return bare(tmp_path_factory.mktemp("gate") / "repo.git")


@pytest.fixture(scope="module")
def base(repo: pygit2.Repository) -> str:
    return write_tree(repo, FILES)


def gitlink(path: str) -> bytes:
    commit = "1" * 40
    return (
        f"diff --git a/{path} b/{path}\nnew file mode 160000\nindex {NULL}..{commit}\n"
        f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+Subproject commit {commit}\n"
    ).encode()


def renamed(old: str, new: str) -> bytes:
    return (
        f"diff --git a/{old} b/{new}\nsimilarity index 100%\nrename from {old}\nrename to {new}\n"
    ).encode()


def deleted(path: str, data: bytes) -> bytes:
    return (
        f"diff --git a/{path} b/{path}\ndeleted file mode 100644\nindex {blob_id(data)}..{NULL}\n"
        f"--- a/{path}\n+++ /dev/null\n@@ -1 +0,0 @@\n-"
    ).encode() + data


def literal(path: str, declared: int, deflated: bytes, oid: str) -> bytes:
    rows: list[bytes] = []
    for at in range(0, len(deflated), 52):
        chunk = deflated[at : at + 52]
        letter = chunk_letter(len(chunk))
        rows.append(letter + b85encode(chunk, pad=True))
    head = f"diff --git a/{path} b/{path}\nnew file mode 100644\nindex {NULL}..{oid}\n"
    body = b"\n".join(rows)
    return head.encode() + b"GIT binary patch\nliteral %d\n%b\n\nliteral 0\nHcmV?d00001\n\n" % (
        declared,
        body,
    )


def chunk_letter(length: int) -> bytes:
    return bytes([length + 64 if length <= 26 else length + 70])


HOSTILE = {
    "parent": ("path_escape", new_file("../evil", b"x\n")),
    "parent inside": ("path_escape", new_file("a/../../evil", b"x\n")),
    "absolute": ("path_escape", new_file("x", b"x\n").replace(b"+++ b/x", b"+++ /abs")),
    "slash at the end": ("bad_name", new_file("b/", b"x\n")),
    "dot": ("bad_name", new_file("a/./b", b"x\n")),
    "only a dot": ("bad_name", new_file(".", b"x\n")),
    "only dots": ("path_escape", new_file("..", b"x\n")),
    "empty name": ("bad_name", new_file("a//b", b"x\n")),
    ".git": ("dotgit_path", new_file(".git/config", b"x\n")),
    ".GIT": ("dotgit_path", new_file(".GIT/x", b"x\n")),
    ".git below": ("dotgit_path", new_file("sub/.git/x", b"x\n")),
    "short .git": ("dotgit_path", new_file("git~1/x", b"x\n")),
    "short .gitmodules": ("dotgit_path", new_file("gitmod~2", b"x\n")),
    "HFS .git": ("dotgit_path", new_file(".g\u200cit/x", b"x\n")),
    "NTFS .git": ("dotgit_path", new_file(".git. /x", b"x\n")),
    "stream .git": ("dotgit_path", new_file(".git::$INDEX_ALLOCATION/x", b"x\n")),
    "link .gitmodules": ("protected_path", new_file(".gitmodules", b"x", mode="120000")),
    "link .gitattributes": ("protected_path", new_file(".gitattributes", b"x", mode="120000")),
    ".gitmodules url": ("protected_path", new_file(".gitmodules", b"[submodule]\nurl=-u./x\n")),
    ".gitmodules name": ("protected_path", new_file(".gitmodules", b'[submodule "../.."]\n')),
    "workflow": ("protected_path", new_file(".github/workflows/x.yml", b"x\n")),
    "hook": ("protected_path", new_file(".husky/pre-commit", b"x\n")),
    "link outside": ("symlink_escape", new_file("sl", b"/etc", mode="120000")),
    "link above": ("symlink_escape", new_file("d/sl", b"../../x", mode="120000")),
    "link into .git": ("symlink_escape", new_file("d/sl", b"../.git/config", mode="120000")),
    "link up in the middle": ("symlink_escape", new_file("sl", b"d/../../x", mode="120000")),
    "link through a link": ("symlink_escape", new_file("sl", b"link/passwd", mode="120000")),
    "link drive": ("symlink_escape", new_file("sl", b"C:/x", mode="120000")),
    "link and below": (
        "below_symlink",
        new_file("sl", b"d", mode="120000") + new_file("sl/pwn", b"x\n"),
    ),
    "through a link": ("below_symlink", new_file("link/pwn", b"x\n")),
    "through a link inside": ("below_symlink", new_file("dlink/new", b"x\n")),
    "gitlink": ("submodule", gitlink("sm")),
    "mode 100666": ("bad_mode", new_file("m", b"x\n", mode="100666")),
    "setuid": ("bad_mode", new_file("m", b"x\n", mode="104755")),
    "mode of a tree": ("bad_mode", new_file("m", b"x\n", mode="040000")),
    "mode 777777": ("bad_mode", new_file("m", b"x\n", mode="777777")),
    "padded mode": ("bad_mode", new_file("m", b"x\n", mode="0100644")),
    "case": ("case_collision", new_file("readme.md", b"x\n")),
    "case of a directory": ("case_collision", new_file("D/h", b"x\n")),
    "Unicode form": (
        "case_collision",
        new_file('"caf\\303\\251"', b"x\n") + new_file('"cafe\\314\\201"', b"x\n"),
    ),
    "case below a new directory": (
        "case_collision",
        new_file("n/a", b"x\n") + new_file("n/A", b""),
    ),
    "NUL": ("bad_name", new_file('"n\\000x"', b"x\n")),
    "newline": ("bad_name", new_file('"n\\nx"', b"x\n")),
    "not UTF-8": ("bad_name", new_file('"inv\\377\\376"', b"x\n")),
    "backslash": ("path_escape", new_file('"..\\\\evil"', b"x\n")),
    "drive": ("path_escape", new_file("C:evil", b"x\n")),
    "device": ("bad_name", new_file("aux.txt", b"x\n")),
    "dot at the end": ("bad_name", new_file("foo.", b"x\n")),
    "space at the end": ("bad_name", new_file("foo ", b"x\n")),
    "file over directory": ("file_directory_conflict", new_file("d", b"x\n")),
    "below a file": ("file_directory_conflict", new_file("README.md/x", b"x\n")),
    "already there": ("base_mismatch", new_file("d/f", b"x\n")),
    "twice": ("duplicate_path", new_file("tw", b"x\n") + new_file("tw", b"x\n")),
    "file and directory": (
        "file_directory_conflict",
        new_file("n", b"x\n") + new_file("n/a", b"x\n"),
    ),
    "long": ("bad_name", new_file("a" * 5000, b"x\n")),
    "deep": ("bad_name", new_file("a/" * 5000 + "b", b"x\n")),
    "renamed from outside": ("path_escape", renamed("../x", "d/y")),
    "renamed to outside": ("path_escape", renamed("d/f", "../y")),
    "renamed from nothing": ("base_mismatch", renamed("d/none", "d/y")),
    "headers disagree": (
        "name_mismatch",
        changed_file("README.md", b"hello\n", b"bye\n", "@@ -1 +1 @@\n-hello\n+bye\n").replace(
            b"+++ b/README.md", b"+++ b/d/f"
        ),
    ),
    "new oid lies": ("oid_mismatch", changed_file("d/f", THREE, b"", LOUD_HUNK)),
    "old oid lies": ("base_mismatch", changed_file("d/f", b"other", LOUD, LOUD_HUNK)),
    "null oid": (
        "oid_mismatch",
        new_file("z", b"x\n").replace(blob_id(b"x\n").encode(), NULL.encode()),
    ),
    "missing content": (
        "oid_mismatch",
        new_file("z", b"").replace(blob_id(b"").encode(), b"1" * 40),
    ),
    "short oid": (
        "abbreviated_oid",
        changed_file("d/f", THREE, LOUD, LOUD_HUNK, new_oid=blob_id(LOUD)[:7]),
    ),
    "hunk count": (
        "bad_hunk",
        changed_file("d/f", THREE, LOUD, LOUD_HUNK.replace("1,3 +", "1,9 +")),
    ),
    "huge hunk count": (
        "bad_hunk",
        changed_file("d/f", THREE, LOUD, LOUD_HUNK.replace("1,3 +", f"1,{10**12} +")),
    ),
    "hunk elsewhere": (
        "hunk_mismatch",
        changed_file("d/f", THREE, LOUD, LOUD_HUNK.replace("-1,3 +1,3", "-500,3 +500,3")),
    ),
    "hunk cut off": ("bad_hunk", changed_file("d/f", THREE, LOUD, "@@ -1,3 +1,3 @@\n-one\n+ONE\n")),
    "CRLF hunk": (
        "hunk_mismatch",
        changed_file("d/f", THREE, LOUD, LOUD_HUNK.replace("\n", "\r\n")),
    ),
    "bomb, declared": ("file_too_large", literal("z", 10**9, b"\x78\x9c", "1" * 40)),
    "bomb, not declared": (
        "bad_binary",
        literal("z", 10, zlib.compress(bytes(10_000_000), 9), "1" * 40),
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_patch_is_refused_with_rule_and_path(
    repo: pygit2.Repository, base: str, name: str
) -> None:
    code, data = HOSTILE[name]
    with pytest.raises(InvalidPatch) as refused:
        check(read_patch(data), repo, base)
    assert refused.value.code == code
    assert refused.value.path


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("new file", new_file("src/b.py", b"x\n")),
        ("empty file", new_file("src/empty", b"")),
        ("link inside", new_file("d/sl", b"../README.md", mode="120000")),
        (
            "odd name that was there",
            changed_file("aux.c", b"old\n", b"new\n", "@@ -1 +1 @@\n-old\n+new\n"),
        ),
        ("case changed by a rename", renamed("README.md", "readme.md")),
        (
            "file becomes directory",
            deleted("README.md", b"hello\n") + new_file("README.md/x", b"x\n"),
        ),
        ("nothing", b""),
    ],
)
def test_a_harmless_patch_passes(
    repo: pygit2.Repository, base: str, name: str, data: bytes
) -> None:
    assert check(read_patch(data), repo, base).patch == read_patch(data)


def test_a_link_may_give_way_to_a_directory(repo: pygit2.Repository, base: str) -> None:
    files = {path: data for path, data in FILES.items() if path != "dlink"}
    patch = read_patch(git_diff(repo, base, write_tree(repo, files | {"dlink/f": b"x\n"})))
    assert check(patch, repo, base).patch == patch


@pytest.mark.parametrize(
    ("data", "writes", "code"),
    [
        (new_file("src/b.py", b"x\n"), ("src/",), None),
        (new_file("src/b.py", b"x\n"), ("src/*.py",), None),
        (new_file("src/b.py", b"x\n"), ("**/*.py",), None),
        (new_file("src/b.py", b"x\n"), ("tests/**",), "path_outside_write_set"),
        (new_file("src/deep/b.py", b"x\n"), ("src/*.py",), "path_outside_write_set"),
        (renamed("d/f", "src/f"), ("src/**",), "path_outside_write_set"),
        (renamed("src/a.py", "d/a.py"), ("src/**",), "path_outside_write_set"),
        (deleted("README.md", b"hello\n"), ("src/**",), "path_outside_write_set"),
        (deleted("README.md", b"hello\n"), ("README.md",), None),
        (new_file("x", b""), (), "path_outside_write_set"),
        (new_file(".github/workflows/x.yml", b"x\n"), ("**",), "protected_path"),
        (new_file(".github/workflows/x.yml", b"x\n"), (".github/**",), "protected_path"),
        (new_file(".github/workflows/x.yml", b"x\n"), (".github/workflows/**",), None),
        (new_file(".github/workflows/x.yml", b"x\n"), (".github/workflows/x.yml",), None),
        (new_file(".gitattributes", b"x text\n"), (".gitattributes",), None),
        (new_file(".GitAttributes", b"x text\n"), ("**",), "protected_path"),
        (new_file(".gitattributes", b"x", mode="120000"), (".gitattributes",), "symlink_escape"),
        (new_file(".gitmodules", b"x\n"), (".gitmodules",), "submodule"),
    ],
)
def test_the_write_set_counts_on_both_sides_and_names_what_is_protected(
    repo: pygit2.Repository, base: str, data: bytes, writes: tuple[str, ...], code: str | None
) -> None:
    patch = read_patch(data)
    if code is None:
        assert check(patch, repo, base, writes=writes).patch == patch
        return
    with pytest.raises(InvalidPatch) as refused:
        check(patch, repo, base, writes=writes)
    assert refused.value.code == code


def test_control_files_are_dropped_and_recorded(repo: pygit2.Repository, base: str) -> None:
    plan = changed_file("plan.md", b"- [ ] a\n", b"- [x] a\n", "@@ -1 +1 @@\n-- [ ] a\n+- [x] a\n")
    other = new_file("src/b.py", b"x\n")
    gated = check(read_patch(plan + other), repo, base, control=lambda path: path == "plan.md")
    assert gated.dropped_paths == ("plan.md",)
    assert gated.patch == read_patch(other)


def test_a_control_file_does_not_hide_a_hostile_path(repo: pygit2.Repository, base: str) -> None:
    with pytest.raises(InvalidPatch, match="path_escape"):
        check(read_patch(new_file("../plan.md", b"x\n")), repo, base, control=lambda _: True)


def test_a_file_over_the_limit_is_refused(repo: pygit2.Repository, base: str) -> None:
    data = new_file("big", b"x" * 2000 + b"\n")
    assert check(read_patch(data), repo, base, max_file_bytes=2001)
    with pytest.raises(InvalidPatch, match="file_too_large"):
        check(read_patch(data), repo, base, max_file_bytes=2000)


def test_many_small_bombs_are_refused_together(repo: pygit2.Repository, base: str) -> None:
    zeros = bytes(4_000_000)
    deflated, oid = zlib.compress(zeros, 9), blob_id(zeros)
    data = b"".join(literal(f"z{number}", len(zeros), deflated, oid) for number in range(40))
    with pytest.raises(InvalidPatch, match="patch_too_large"):
        check(read_patch(data), repo, base)


class Scanner:
    """Takes every line with TOPSECRET in it for a secret."""

    def find(self, text: str) -> list[Found]:
        return [Found(line) for line, row in enumerate(text.split("\n"), 1) if "TOPSECRET" in row]


class Found:
    kind = "test"

    def __init__(self, line: int) -> None:
        self.line = line


def test_a_secret_that_is_added_is_refused_with_its_line(
    repo: pygit2.Repository, base: str
) -> None:
    new = b"one\ntwo\nTOPSECRET\nthree\n"
    data = changed_file("d/f", THREE, new, "@@ -2,2 +2,3 @@\n two\n+TOPSECRET\n three\n")
    with pytest.raises(InvalidPatch) as refused:
        check(read_patch(data), repo, base, scanner=Scanner())
    assert (refused.value.code, refused.value.path) == ("secret", "d/f")
    assert "line 3" in refused.value.detail
    assert "TOPSECRET" not in str(refused.value)


def test_a_secret_that_is_removed_or_stays_is_no_finding(repo: pygit2.Repository) -> None:
    old, new = b"TOPSECRET\nstays TOPSECRET\n", b"stays TOPSECRET\nnew\n"
    base = write_tree(repo, {"f": old})
    patch = read_patch(git_diff(repo, base, write_tree(repo, {"f": new})))
    assert check(patch, repo, base, scanner=Scanner()).patch == patch


@pytest.mark.parametrize(
    "files",
    [
        {"f": (EXECUTABLE, b"x\n")},
        {"f": (LINK, b"x")},
        {"f": b"caf\xe9\r\nno newline"},
        {"f": b"\0\1\2binary"},
        {"a b/\u00e9.txt": b"x\n"},
        {"tab\u2014dash": b""},
    ],
)
def test_whatever_git_diffs_passes(
    repo: pygit2.Repository, base: str, files: dict[str, Content]
) -> None:
    patch = read_patch(git_diff(repo, base, write_tree(repo, FILES | files)))
    assert check(patch, repo, base).patch.paths == tuple(files)


def test_a_base_with_a_hostile_entry_is_refused_where_it_is_touched(
    repo: pygit2.Repository,
) -> None:
    blob = repo.create_blob(b"x")
    for name in (b"..", b".git", b".GIT", b"git~1", ".g\u200cit".encode(), b"a/b", b""):
        tree = b"100644 %b\0%b" % (name, blob.raw)
        oid = str(repo.odb.write(2, tree))
        with pytest.raises(InvalidPatch) as refused:
            check(read_patch(new_file("n", b"x\n")), repo, oid)
        assert refused.value.code in ("bad_tree", "dotgit_path")


@pytest.mark.parametrize("names", [(b"b", b"a"), (b"a", b"a")])
def test_a_base_out_of_order_is_refused(
    repo: pygit2.Repository, names: tuple[bytes, bytes]
) -> None:
    blob = repo.create_blob(b"x")
    tree = b"".join(b"100644 %b\0%b" % (name, blob.raw) for name in names)
    with pytest.raises(InvalidPatch, match="bad_tree"):
        check(read_patch(new_file("n", b"x\n")), repo, str(repo.odb.write(2, tree)))


def test_a_base_without_the_blob_is_refused(repo: pygit2.Repository) -> None:
    tree = str(repo.odb.write(2, b"100644 f\0" + bytes.fromhex(blob_id(THREE + b"gone"))))
    data = changed_file("f", THREE + b"gone", LOUD + b"gone", LOUD_HUNK)
    with pytest.raises(InvalidPatch, match="missing_object"):
        check(read_patch(data), repo, tree)


def test_a_submodule_may_not_be_deleted(repo: pygit2.Repository) -> None:
    files = {"sm": (GITLINK, b"1" * 40), "f": (FILE, b"x")}
    base = write_tree(repo, files)
    with pytest.raises(InvalidPatch, match="submodule"):
        check(read_patch(git_diff(repo, base, write_tree(repo, {"f": b"x"}))), repo, base)
