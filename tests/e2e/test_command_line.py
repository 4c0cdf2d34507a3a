"""The command line itself: help, completion, and what a terminal of any size shows."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import termios
from typing import TYPE_CHECKING

import pytest

from fanfold.cli.main import COMMANDS
from fanfold.settings import environment
from tests.fakes.projects import fanfold
from tests.fakes.tracks import command, letters, letters_repository, play

if TYPE_CHECKING:
    from pathlib import Path

WIDEST = 100
CODES = ("0 ", "1 ", "2 ", "3 ", "4 ", "5 ", "130 ")
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
COLOUR = re.compile(r"\x1b\[(?:\d+;)*3\d(?:;\d+)*m")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(tmp_path: Path, name: str) -> None:
    for words in ((name, "--help"), (name, "-h")):
        ended = fanfold(tmp_path, *words)
        assert (ended.code, ended.err) == (0, "")
        assert "\nexamples:\n  fanfold " in ended.out
        assert max(map(len, ended.out.splitlines())) <= WIDEST
        options = ended.out.partition("\noptions:\n")[2].partition("\nexamples:")[0]
        for line, after in zip(options.splitlines(), [*options.splitlines()[1:], ""], strict=True):
            if line.startswith("  -"):
                assert "  " in line.strip() or after.startswith("      "), line


def test_help_of_the_whole(tmp_path: Path) -> None:
    ended = fanfold(tmp_path, "--help")
    assert ended.code == 0
    assert all(f"\n  {name} " in ended.out for name in COMMANDS)
    assert max(map(len, ended.out.splitlines())) <= WIDEST
    assert all(code in fanfold(tmp_path, "run", "--help").out for code in CODES)
    assert fanfold(tmp_path).code == 2
    assert fanfold(tmp_path, "--version").out.startswith("fanfold 0.")


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_scripts_are_valid(tmp_path: Path, shell: str) -> None:
    script = tmp_path / "script"
    script.write_text(fanfold(tmp_path, "completion", shell).out)
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    checked = subprocess.run((shell, "-n", str(script)), capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (("st",), "status"),
        (("re",), "ready resume retry resolve reject"),
        (("run", "--bu"), "--budget"),
        (("run", "--gates", "d"), "defer"),
        (("-C", ".", "show", "--pa"), "--patch"),
    ],
)
def test_bash_completes(tmp_path: Path, typed: tuple[str, ...], offered: str) -> None:
    if shutil.which("bash") is None:
        pytest.skip("no bash here")
    script = tmp_path / "script"
    script.write_text(fanfold(tmp_path, "completion", "bash").out)
    asked = f"""
        source {script}
        function=$(complete -p fanfold | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        COMP_WORDS=(fanfold {" ".join(typed)}); COMP_CWORD={len(typed)}
        $function
        echo "${{COMPREPLY[*]}}"
    """
    said = subprocess.run(("bash", "-c", asked), capture_output=True, text=True, check=False)
    assert said.stdout.strip() == offered, said.stderr


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("LINES", raising=False)
    play(monkeypatch, tmp_path, *letters("alpha", delay_s=0.6))
    return letters_repository(tmp_path / "project")


def on_terminal(root: Path, columns: int, lines: int, *words: str) -> str:
    """What a terminal of that size is sent."""
    terminal, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    before = termios.tcgetattr(inside)
    process = subprocess.Popen(
        command(root, *words),
        stdin=inside,
        stdout=inside,
        stderr=inside,
        env=dict(environment()),  # what readline told C of this process's own size stays out
    )
    shown = b""
    while process.poll() is None:
        shown += _read(terminal)
    assert termios.tcgetattr(inside) == before
    os.close(inside)
    shown += _read(terminal)
    os.close(terminal)
    return shown.decode()


def _read(terminal: int) -> bytes:
    os.set_blocking(terminal, False)
    try:
        return os.read(terminal, 65536)
    except OSError:  # nothing there yet, or the other end was closed
        return b""


@pytest.mark.parametrize(("columns", "lines"), [(120, 30), (80, 24), (40, 6), (20, 3)])
def test_a_live_table_fits_its_terminal(root: Path, columns: int, lines: int) -> None:
    words = ("run", "--budget", "5", "--no-sandbox", "--check", "true")
    shown = on_terminal(root, columns, lines, *words)
    live, _, after = shown.rpartition("\x1b[?25h")
    assert "\x1b[?25l" in live
    assert "\x1b[?25" not in after
    assert "waiting" in after
    pictures = ESCAPE.sub("", live.rpartition("\x1b[?25l")[2]).replace("\r", "\n")
    assert max(len(line.rstrip()) for line in pictures.splitlines()) <= columns
    assert "of $5.00 spent"[: columns // 3] in pictures
    assert "Traceback" not in shown


def test_colour_is_left_out_where_it_is_not_wanted(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("run", "--budget", "5", "--no-sandbox")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert COLOUR.search(on_terminal(root, 100, 30, *words))
    monkeypatch.setenv("NO_COLOR", "1")
    assert not COLOUR.search(on_terminal(root, 100, 30, *words))


def test_a_terminal_that_cannot_redraw_gets_plain_lines(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    shown = on_terminal(root, 100, 30, "run", "--budget", "5", "--no-sandbox")
    assert "1.1 running as implementer" in shown
    assert "\x1b" not in shown


def test_without_a_terminal_there_are_plain_lines(root: Path) -> None:
    ended = fanfold(root, "run", "--budget", "5", "--no-sandbox", "--check", "true")
    assert ended.code == 3
    lines = ended.err.splitlines()
    assert lines[0].endswith("checks are green on the base")
    assert re.fullmatch(r" 0:0\d  1\.1 running as implementer: Write alpha", lines[1])
    assert any(re.search(r"1\.1 patched after 0:0\d, [\d,]+ tokens, \$0\.\d{3}:", x) for x in lines)
    assert lines[-1].endswith("of $5.00 spent")
    assert "\x1b" not in ended.err + ended.out


def test_help_as_a_word(tmp_path: Path) -> None:
    assert fanfold(tmp_path, "help").out == fanfold(tmp_path, "--help").out
    assert fanfold(tmp_path, "help", "run").out == fanfold(tmp_path, "run", "--help").out
