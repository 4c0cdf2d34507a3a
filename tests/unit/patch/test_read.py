"""Reading patches: all of git's shapes, and for any other bytes `InvalidPatch`, soon."""

from __future__ import annotations

import time
import tracemalloc
import zlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fanfold.errors import InvalidPatch
from fanfold.patch.apply import apply_hunks
from fanfold.patch.binary import apply_delta, decode_line, inflate
from fanfold.patch.limits import Limits
from fanfold.patch.model import Binary, FileChange, Hunk, Patch
from fanfold.patch.read import read_patch

OLD, NEW, NULL = "1" * 40, "2" * 40, "0" * 40
TEXT = f"""diff --git a/f b/f
index {OLD}..{NEW} 100644
--- a/f
+++ b/f
@@ -1,2 +1,3 @@ def f():
 one
-two
\\ No newline at end of file
+TWO
+three
""".encode()
MAIL = (
    b"From 0123 Mon Sep 17 00:00:00 2001\nFrom: A <a@example.org>\nSubject: [PATCH] x\n\n---\n"
    + b" f | 1 +\n\n"
    + TEXT
    + b"-- \n2.39.5\n\n"
)
BINARY = f"""diff --git a/b.bin b/b.bin
index {OLD}..{NEW} 100644
GIT binary patch
delta 5
Mcmb=O

literal 3
Kcmb<$Vqyb-

""".encode()
SEEDS = [TEXT, MAIL, BINARY, TEXT + BINARY]


def test_a_text_change_is_read() -> None:
    hunk = Hunk(1, 2, 1, 3, (b" one\n", b"-two", b"+TWO\n", b"+three\n"))
    change = FileChange("f", "f", 0o100644, 0o100644, OLD, NEW, (hunk,))
    assert read_patch(TEXT) == Patch((change,))


def test_mail_around_a_patch_is_passed_over() -> None:
    assert read_patch(MAIL) == read_patch(TEXT)


@pytest.mark.parametrize("data", [b"", b"\n", b" \n\n"])
def test_no_bytes_are_an_empty_patch(data: bytes) -> None:
    assert read_patch(data) == Patch()


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("not_a_patch", b"hello\n"),
        ("not_a_patch", b"--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n"),
        ("not_a_patch", TEXT + b"and then some\n"),
        ("several_patches", MAIL + MAIL),
        ("bad_header", TEXT.replace(f"index {OLD}..{NEW} 100644\n".encode(), b"")),
        ("bad_header", TEXT.replace(b"index", b"index x", 1)),
        ("bad_header", TEXT.replace(b"--- a/f", b"old mode 100644\nold mode 100755\n--- a/f")),
        ("abbreviated_oid", TEXT.replace(OLD.encode(), b"1111111")),
        ("bad_mode", b"diff --git a/f b/f\nold mode 1x0644\nnew mode 100755\n"),
        ("bad_name", TEXT.replace(b"a/f", b"f").replace(b"b/f", b"f")),
        ("bad_name", TEXT.replace(b"--- a/f", b'--- "a/f')),
        ("bad_name", TEXT.replace(b"--- a/f", b'--- "a/\\x"')),
        ("bad_hunk", TEXT.replace(b"@@ -1,2", b"@@ -1,2,3")),
        ("bad_hunk", TEXT.replace(b"+three\n", b"")),
        ("bad_hunk", TEXT.replace(b" one\n", b"*one\n")),
        ("name_mismatch", TEXT.replace(b"+++ b/f", b"+++ b/g")),
        ("name_mismatch", TEXT.replace(b"diff --git a/f b/f", b"diff --git a/g b/g")),
        ("oid_mismatch", TEXT.replace(OLD.encode(), NULL.encode())),
        ("bad_binary", BINARY.replace(b"delta 5", b"delta x")),
        ("bad_binary", BINARY.replace(b"Mcmb=O", b"Mcmb")),
        (
            "bad_binary",
            f"diff --git a/b b/b\nindex {OLD}..{NEW}\nBinary files a/b and b/b differ\n".encode(),
        ),
        ("bad_header", b"diff --git a/f b/g\nrename from f\n"),
        ("bad_header", b"diff --git a/f b/g\nnew file mode 100644\nrename from f\nrename to g\n"),
    ],
)
def test_what_is_no_sound_patch_is_refused_by_name(code: str, data: bytes) -> None:
    with pytest.raises(InvalidPatch) as refused:
        read_patch(data)
    assert refused.value.code == code


def test_a_patch_over_the_limit_is_refused() -> None:
    with pytest.raises(InvalidPatch, match="patch_too_large"):
        read_patch(TEXT, max_bytes=len(TEXT) - 1)


@pytest.mark.parametrize(
    "header",
    [
        b"diff --git a/x y b/x y",
        b'diff --git "a/x\\ty" "b/x\\ty"',
        b'diff --git "a/\\303\\251" "b/\\303\\251"',
        b"diff --git i/x w/x",
        b"diff --git a/a b/a b/a b/a",
    ],
)
def test_names_are_read_from_the_diff_line_alone(header: bytes) -> None:
    change = read_patch(header + b"\nold mode 100644\nnew mode 100755\n").changes[0]
    assert change.old_path == change.new_path
    assert change.path in ("x y", "x\ty", "é", "x", "a b/a")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
@example(b"diff --git ")
@example(b"diff --git a/\xff b/\xff\n")
def test_any_bytes_give_a_patch_or_invalid_patch(data: bytes) -> None:
    _read_or_refuse(data)
    _read_or_refuse(b"diff --git a/f b/f\n" + data)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 6), st.binary(max_size=12)), max_size=4),
)
def test_a_mutated_patch_gives_a_patch_or_invalid_patch(
    seed: bytes, mutations: list[tuple[int, int, bytes]]
) -> None:
    data = seed
    for at, drop, insert in mutations:
        data = data[:at] + insert + data[at + drop :]
    _read_or_refuse(data)


def _read_or_refuse(data: bytes) -> None:
    try:
        patch = read_patch(data)
    except InvalidPatch as refused:
        refused.detail.encode()
        (refused.path or "").encode()
    else:
        assert isinstance(patch, Patch)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.binary(max_size=60))
def test_any_delta_gives_bytes_or_invalid_patch(old: bytes, delta: bytes) -> None:
    try:
        assert len(apply_delta(old, delta, "f", Limits(1000, 1000))) <= 1000
    except InvalidPatch as refused:
        assert refused.code in ("bad_binary", "file_too_large")  # noqa: PT017


@given(st.binary(max_size=60))
def test_any_base85_line_gives_bytes_or_invalid_patch(line: bytes) -> None:
    try:
        assert len(decode_line(line)) <= 52
    except InvalidPatch as refused:
        assert refused.code == "bad_binary"  # noqa: PT017


def test_a_bomb_is_refused_in_constant_memory() -> None:
    deflated = _deflated_zeros(200_000_000)
    limits = Limits(5_000_000, 100_000_000)
    tracemalloc.start()
    with pytest.raises(InvalidPatch, match="file_too_large"):
        inflate(Binary(is_delta=False, size=200_000_000, deflated=deflated), "f", limits)
    with pytest.raises(InvalidPatch, match="bad_binary"):
        inflate(Binary(is_delta=False, size=1000, deflated=deflated), "f", limits)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_delta_that_multiplies_is_refused_in_constant_memory() -> None:
    copy = b"\x80" * 200_000
    sizes = b"\x80\x80\x04" + b"\xff\xff\xff\xff\x0f"
    with pytest.raises(InvalidPatch, match="file_too_large"):
        apply_delta(bytes(65536), sizes + copy, "f", Limits(5_000_000, 5_000_000))
    small = b"\x80\x80\x04" + b"\x80\x01"
    with pytest.raises(InvalidPatch, match="bad_binary"):
        apply_delta(bytes(65536), small + copy, "f", Limits(5_000_000, 5_000_000))


def _deflated_zeros(size: int) -> bytes:
    deflater = zlib.compressobj(9)
    step = bytes(10_000_000)
    parts = [deflater.compress(step) for _ in range(size // len(step))]
    return b"".join((*parts, deflater.flush()))


@pytest.mark.parametrize(
    "data",
    [
        TEXT + b"@@ -1,9999999999 +1,9999999999 @@\n" + b" x\n" * 300_000,
        b"diff --git " + b'"' * 1_000_000,
        b"diff --git " + b"a b " * 250_000,
        b"diff --git a/f b/f\n" + b"old mode 100644\n" * 100_000,
        b"GIT binary patch\n" * 100_000,
        b"\n" * 1_000_000 + b"diff --git",
    ],
)
def test_a_megabyte_of_nonsense_is_refused_soon(data: bytes) -> None:
    begin = time.perf_counter()
    with pytest.raises(InvalidPatch):
        read_patch(data)
    assert time.perf_counter() - begin < 15


def test_hunks_must_stand_exactly_where_they_say() -> None:
    hunk = Hunk(2, 1, 2, 1, (b"-b\n", b"+B\n"))
    assert apply_hunks(b"a\nb\n", (hunk,), "f") == b"a\nB\n"
    for before in (b"b\n", b"a\nx\nb\n", b"a\nb", b""):
        with pytest.raises(InvalidPatch, match="hunk_mismatch"):
            apply_hunks(before, (hunk,), "f")
