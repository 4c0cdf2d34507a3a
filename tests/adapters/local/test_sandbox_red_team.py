"""What a hostile command tries, in each sandbox: all of it fails. In CI nothing is skipped."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.git.confined import read_file
from fanfold.adapters.local.sandbox import Bubblewrap, harden_process
from fanfold.adapters.local.sandbox_uid import SecondUser
from fanfold.errors import WorkspaceError
from fanfold.settings import environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanfold.ports import Sandbox

SECRET = "sk-" + "obviously-fake-" * 2
PYTHON = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sandboxes of Linux")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that is private to whoever runs the tests, with a home and two attempts in it."""
    place = Path(tempfile.mkdtemp(prefix="fanfold-red-"))
    for name in (".ssh/id", ".aws/credentials", ".claude/x"):
        file = place / "home" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(SECRET)
        file.chmod(0o600)
    (place / "home").chmod(0o700)
    for name in ("mine", "other"):
        root = place / name / "tree"
        (root / ".git" / "hooks").mkdir(parents=True)
        (root / ".git" / "config").write_text("[core]\n")
        (root / "a.txt").write_text(SECRET if name == "other" else "a\n")
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(params=["bubblewrap", "second user"])
def sandbox(request: pytest.FixtureRequest, place: Path) -> Sandbox:
    harden_process()
    environ = {
        "PATH": os.defpath + ":/usr/local/bin",
        "HOME": str(place / "home"),
        "ANTHROPIC_API_KEY": SECRET,
    }
    bubblewrap = request.param == "bubblewrap"
    sandbox = Bubblewrap(environ) if bubblewrap else SecondUser(environ, place)
    reason = sandbox.available()
    if reason and bubblewrap and environment().get("CI") == "true":
        pytest.fail(f"CI must have this sandbox: {reason}")
    if reason:
        pytest.skip(reason)
    sandbox.run("true", str(place / "other" / "tree"), 20)
    return sandbox


@pytest.fixture
def root(place: Path) -> Path:
    return place / "mine" / "tree"


def attack(sandbox: Sandbox, root: Path, command: str, **names: object) -> str:
    """What the command says; `{me}` is the harness, `{place}` the folder with everything in it."""
    known = {"me": os.getpid(), "place": root.parents[1], "parent": os.getppid()}
    said = sandbox.run(f"{command.format(**known, **names)}\nprintf ran", str(root), 30).output
    assert said.endswith("ran"), said
    return said.removesuffix("ran")


def test_ordinary_work_goes_on(sandbox: Sandbox, root: Path) -> None:
    work = "echo b >b.txt && mkdir d && mv a.txt d/ && echo c >>d/a.txt && rm b.txt && echo ok"
    assert attack(sandbox, root, work) == "ok\n"
    assert (root / "d" / "a.txt").read_text() == "a\nc\n"
    (root / "fresh").write_text("by the harness\n")
    assert attack(sandbox, root, "echo more >>fresh && cat fresh").endswith("more\n")
    assert (
        attack(sandbox, root, 'echo x >"$HOME/x" && echo x >"${{TMPDIR:-/tmp}}/x" && echo ok')
        == "ok\n"
    )


@pytest.mark.parametrize(
    "command",
    [
        "env; cat /proc/{me}/environ /proc/{parent}/environ /proc/self/environ /proc/1/environ",
        "head -c 1000 /proc/{me}/mem; cat /proc/{me}/maps",
        "ls -l /proc/{me}/fd /proc/{me}/cwd/ /proc/{me}/root/",
        "cat ~/.ssh/id ~/.aws/credentials ~/.claude/x",
        "cat {place}/home/.ssh/id {place}/home/.aws/credentials",
        "cat /proc/{me}/root/{place}/home/.ssh/id /proc/1/root/{place}/home/.ssh/id",
        "cat {place}/other/tree/a.txt; cat ../../other/tree/a.txt",
        "ln -s {place}/other/tree/a.txt leak; cat leak; ln {place}/other/tree/a.txt hard; cat hard",
        "cp -r {place} copy; find copy -type f -exec cat {{}} +",
        "cat /etc/shadow /etc/gshadow",
        "su -c 'cat {place}/home/.ssh/id'; sudo -n cat {place}/home/.ssh/id",
    ],
)
def test_nothing_is_there_to_steal(sandbox: Sandbox, root: Path, command: str) -> None:
    told = attack(sandbox, root, f"( {command} ) 2>&1")
    assert SECRET not in told
    assert "root:" not in told
    assert "pytest" not in told.replace("fanfold-red", "")


@pytest.mark.parametrize(
    "target",
    [
        "/etc/passwd",
        "/usr/pwned",
        "/pwned",
        "/proc/sys/kernel/core_pattern",
        "{place}/pwned",
        "{place}/home/pwned",
        "{place}/other/tree/pwned",
        "{place}/other/tree/a.txt",
        ".git/hooks/pre-commit",
        ".git/config",
    ],
)
def test_writing_outside_fails(sandbox: Sandbox, root: Path, place: Path, target: str) -> None:
    attack(sandbox, root, f"echo pwned >{target}; chmod 777 {target}; echo pwned >{target}")
    file = root / target.format(place=place)
    assert not file.exists() or "pwned" not in file.read_text()


def test_git_cannot_be_replaced(sandbox: Sandbox, root: Path) -> None:
    before = (root / ".git").stat().st_ino
    attack(sandbox, root, "mv .git x; rm -rf .git; rmdir .git; ln -sfn /tmp .git; chmod 777 . .git")
    assert (root / ".git").stat().st_ino == before
    assert (root / ".git" / "config").read_text() == "[core]\n"


def test_a_link_left_behind_leads_the_harness_nowhere(sandbox: Sandbox, root: Path) -> None:
    attack(sandbox, root, "ln -s {place}/home/.ssh/id leak; ln -s {place}/home up")
    for name in ("leak", "up/.ssh/id"):
        with pytest.raises(WorkspaceError):
            read_file(root, name, 1000)


def test_no_signal_reaches_the_harness(sandbox: Sandbox, root: Path) -> None:
    told = attack(sandbox, root, "kill -9 {me} {parent} 2>&1; kill -STOP -1; echo alive")
    assert told.endswith("alive\n")


def test_no_privilege_is_left_or_can_be_gained(sandbox: Sandbox, root: Path) -> None:
    told = attack(sandbox, root, "cat /proc/self/status")
    status = dict(line.split(":\t", 1) for line in told.splitlines() if ":\t" in line)
    assert {status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Amb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"


@pytest.mark.skipif(PYTHON is None, reason="no python3 of the system's")
@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6"])
def test_neither_metadata_nor_the_internet_is_reached(
    sandbox: Sandbox, root: Path, family: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        places = [("169.254.169.254", 80), ("169.254.170.2", 80), server.getsockname()[:2]]
        lines = [
            "import socket",
            *(f"for place in {places}:" for _ in range(1)),
            "    try:",
            f"        s = socket.socket(socket.{family}); s.settimeout(2)",
            "        s.connect(('::ffff:' * (s.family == 10) + place[0], place[1]))",
            "        print('reached', place)",
            "    except OSError as error: print('refused')",
        ]
        (root / "net.py").write_text("\n".join(lines))
        assert attack(sandbox, root, f"{PYTHON} net.py") == "refused\n" * 3


def test_a_file_cannot_fill_the_disk(sandbox: Sandbox, root: Path) -> None:
    attack(sandbox, root, "truncate -s 40G big || dd if=/dev/zero of=big bs=1M seek=40000 count=1")
    assert not (root / "big").exists() or (root / "big").stat().st_size < 20 << 30


def test_a_fork_bomb_ends_with_its_command(sandbox: Sandbox, root: Path) -> None:
    nap = f"sleep 20.{time.time_ns()}"
    start = time.monotonic()
    bomb = f"two() {{ {nap} & {nap} & }}; i=0; while [ $i -lt 150 ]; do two & i=$((i+1)); done"
    sandbox.run(f"{bomb}; {nap}", str(root), 2)
    assert time.monotonic() - start < 10
    assert running(nap.split()[1]) == 0


def test_processes_of_another_user_are_bounded(place: Path, root: Path) -> None:
    sandbox = SecondUser({"PATH": os.defpath, "HOME": str(place)}, place, processes=50)
    if sandbox.available():
        pytest.skip("not root")
    result = sandbox.run("i=0; while [ $i -lt 99 ]; do sleep 9 & i=$((i+1)); done", str(root), 20)
    assert "ork" in result.output
    assert result.exit_code != 0


def test_nothing_outlives_its_command(sandbox: Sandbox, root: Path) -> None:
    attack(
        sandbox,
        root,
        "(setsid sh -c 'trap \"\" TERM HUP; sleep 1; echo x >late' &) ;"
        " nohup sh -c 'sleep 1; echo x >late2' >/dev/null 2>&1 & echo done",
    )
    time.sleep(1.5)
    assert not (root / "late").exists()
    assert not (root / "late2").exists()


def test_what_is_left_in_shared_folders_is_gone(sandbox: Sandbox, root: Path) -> None:
    attack(
        sandbox, root, "mkdir /tmp/left-{me}; echo x >/tmp/left-{me}/x; echo x >/dev/shm/left-{me}"
    )
    assert not Path(f"/tmp/left-{os.getpid()}").exists()
    assert not Path(f"/dev/shm/left-{os.getpid()}").exists()


def running(word: str) -> int:
    """Live processes with `word` among their arguments."""
    count = 0
    for process in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
        with contextlib.suppress(OSError):
            count += word in Path(f"/proc/{process}/cmdline").read_text("utf-8", "replace")
    return count
