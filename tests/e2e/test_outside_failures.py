"""What fails outside: exit 5, one line, one JSON value, and a run that can be resumed."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.fakes.projects import fanfold
from tests.fakes.tracks import OPEN_TRACK, PROGRAM, letters, letters_repository, play

if TYPE_CHECKING:
    from pathlib import Path

RUN = ("run", "--budget", "5", "--check", "true", "--no-sandbox", "--json")
SIZE_KB = 4096


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    play(monkeypatch, tmp_path, *letters())
    return letters_repository(tmp_path / "project", OPEN_TRACK)


def privately(script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script with mounts of its own; skips where that is not allowed."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("no unshare here")
    probe = (unshare, "-m", "sh", "-c", "mount -t tmpfs none /mnt")
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    return subprocess.run(
        (unshare, "-m", "sh", "-c", script),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def command(*words: str) -> str:
    return shlex.join((sys.executable, "-c", PROGRAM, *words))


@pytest.mark.parametrize("free_kb", [8, 90, 130, 200])
def test_a_disk_that_fills_up(root: Path, tmp_path: Path, free_kb: int) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    ended = privately(f"""
        set -e
        mount -t tmpfs -o size={SIZE_KB}k none {disk}
        cp -r {root} {disk}/project
        cd {disk}/project
        used=$(du -sk {disk} | cut -f1)
        dd if=/dev/zero of={disk}/filler bs=1k count=$(({SIZE_KB} - used - {free_kb})) 2>/dev/null
        {command(*RUN)} >{tmp_path}/out 2>{tmp_path}/err && echo 0 || echo $?
        rm {disk}/filler
        {command("status", "--json")}
        {command("resume", "--json")} >{tmp_path}/resumed 2>{tmp_path}/err2 || true
    """)
    code, _, status = ended.stdout.partition("\n")
    err = (tmp_path / "err").read_text()
    assert "Traceback" not in err
    assert code == "5", err
    assert "No space left" in err.splitlines()[-1]
    result = msgspec.json.decode((tmp_path / "out").read_bytes())
    assert result["error"] in err
    if msgspec.json.decode(status)["runs"]:
        assert (result["schema"], result["outcome"]) == ("fanfold.run/1", "failed")
        assert f"`fanfold resume {result['run']}` goes on" in err
        resumed = msgspec.json.decode((tmp_path / "resumed").read_bytes())
        assert (resumed["outcome"], resumed["verified"]) == ("completed", True)


def test_a_read_only_folder(root: Path, tmp_path: Path) -> None:
    ended = privately(f"""
        mount --bind {root} {root} && mount -o remount,ro,bind {root} && cd {root}
        {command(*RUN)} 2>{tmp_path}/err; echo $?
        {command("plan")} >/dev/null; echo $?
        {command("status")}; echo $?
    """)
    value, _, codes = ended.stdout.rpartition("}\n")
    assert "ead-only" in msgspec.json.decode(value + "}")["error"]
    assert (tmp_path / "err").read_text().count("\n") == 1
    assert codes.splitlines()[0] == "5"
    assert codes.splitlines()[1] == "0"
    assert codes.splitlines()[-1] == "0"


def test_a_folder_that_may_not_be_written(root: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    root.chmod(0o555)
    try:
        ended = fanfold(root, *RUN)
        assert (ended.code, ended.err.count("\n")) == (5, 1)
    finally:
        root.chmod(0o755)
