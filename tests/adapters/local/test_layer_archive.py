"""Layers as one file: the same bytes for the same layer, and nothing outside when unpacked."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.local.layer_archive import digest_of, pack, unpack
from fanfold.errors import ArtifactCorrupt

if TYPE_CHECKING:
    from pathlib import Path

PATTERNS = ["/made/one file", "/other"]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "tool").write_text("#!/bin/sh\necho ran\n")
    (folder / ".venv" / "bin" / "tool").chmod(0o755)
    (folder / ".venv" / "bin" / "python").symlink_to("/usr/bin/python3")
    (folder / ".venv" / "lib").symlink_to("bin")
    (folder / "größe\n2").write_bytes(b"\0" * 3_000_000)
    (folder / "shut").mkdir()
    (folder / "shut" / "inside").write_text("x")
    (folder / "shut" / "again").hardlink_to(folder / "shut" / "inside")
    os.utime(folder / "shut" / "inside", (1_000_000_000, 1_000_000_000))
    (folder / "shut").chmod(0o500)
    return folder


def test_what_is_packed_comes_out_with_modes_times_and_links(files: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    sha256 = pack(files, PATTERNS, tmp_path / "layer")
    assert unpack(tmp_path / "layer", root, sha256) == PATTERNS
    names = sorted(p.relative_to(files).as_posix() for p in files.rglob("*"))
    assert sorted(p.relative_to(root).as_posix() for p in root.rglob("*")) == names
    for name in names:
        before, after = (files / name).lstat(), (root / name).lstat()
        if not stat.S_ISLNK(before.st_mode):
            assert after.st_mode == before.st_mode, name
            assert int(after.st_mtime) == int(before.st_mtime), name
    assert (root / ".venv/bin/python").readlink().as_posix() == "/usr/bin/python3"
    assert (root / "shut/again").read_text() == "x"


def test_the_same_layer_gives_the_same_bytes(files: Path, tmp_path: Path) -> None:
    first = pack(files, PATTERNS, tmp_path / "first")
    assert pack(files, PATTERNS, tmp_path / "second") == first
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    (files / ".venv/bin/tool").write_text("#!/bin/sh\necho run\n")
    assert pack(files, PATTERNS, tmp_path / "third") != first


def test_no_program_gains_rights_on_its_way(tmp_path: Path) -> None:
    files, root = tmp_path / "files", tmp_path / "root"
    files.mkdir()
    root.mkdir()
    (files / "su").write_text("x")
    (files / "su").chmod(0o6755)
    os.mkfifo(files / "pipe")
    sha256 = pack(files, [], tmp_path / "layer")
    unpack(tmp_path / "layer", root, sha256)
    assert stat.S_IMODE((root / "su").stat().st_mode) == 0o755
    assert not (root / "pipe").exists()


def test_another_file_than_the_one_that_was_made_is_refused(files: Path, tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    sha256 = pack(files, PATTERNS, layer)
    layer.write_bytes(layer.read_bytes()[:-1] + b"!")
    with pytest.raises(ArtifactCorrupt, match="not the one"):
        unpack(layer, tmp_path / "root", sha256)


LINK = (tarfile.SYMTYPE, "files/out", "/tmp")


@pytest.mark.parametrize(
    "members",
    [
        [(tarfile.REGTYPE, "files/../../evil", "")],
        [(tarfile.REGTYPE, "/evil", "")],
        [(tarfile.REGTYPE, "evil", "")],
        [LINK, (tarfile.REGTYPE, "files/out/evil", "")],
        [LINK, (tarfile.DIRTYPE, "files/out/evil", "")],
        [LINK, (tarfile.SYMTYPE, "files/out/evil", "/etc")],
        [(tarfile.CHRTYPE, "files/null", "")],
        [(tarfile.LNKTYPE, "files/passwd", "/etc/passwd")],
    ],
)
def test_nothing_is_written_outside(members: list[tuple[bytes, str, str]], tmp_path: Path) -> None:
    layer, root = tmp_path / "layer", tmp_path / "a" / "root"
    root.mkdir(parents=True)
    with tarfile.open(layer, "w:gz") as archive:
        for kind, name, link in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, link
            archive.addfile(info, io.BytesIO())
    with pytest.raises(ArtifactCorrupt):
        unpack(layer, root, digest_of(layer))
    assert not list(tmp_path.rglob("evil"))
    assert not list(tmp_path.rglob("passwd"))


def test_a_second_file_over_a_link_is_refused(tmp_path: Path) -> None:
    layer, root, victim = tmp_path / "layer", tmp_path / "root", tmp_path / "victim"
    root.mkdir()
    victim.write_text("kept")
    with tarfile.open(layer, "w:gz") as archive:
        link = tarfile.TarInfo("files/x")
        link.type, link.linkname = tarfile.SYMTYPE, str(victim)
        archive.addfile(link)
        archive.addfile(tarfile.TarInfo("files/x"), io.BytesIO())
    with pytest.raises((ArtifactCorrupt, FileExistsError)):
        unpack(layer, root, digest_of(layer))
    assert victim.read_text() == "kept"
