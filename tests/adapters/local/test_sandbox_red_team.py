"""What a hostile command tries, in each sandbox: all of it fails. In CI nothing is skipped."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.git.confined import read_file
from fanfold.adapters.local.sandbox import Bubblewrap, harden_process
from fanfold.adapters.local.sandbox_uid import SecondUser
from fanfold.errors import WorkspaceError
from fanfold.run.incidents import Incident, IncidentKind
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
    possible = bubblewrap or os.geteuid() == 0
    if reason and possible and environment().get("CI") == "true":
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
        places = [("169.254.169.254", 80), ("169.254.170.2", 80), ("203.0.113.7", 443)]
        if isinstance(sandbox, Bubblewrap):
            places.append(server.getsockname()[:2])
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
        assert attack(sandbox, root, f"{PYTHON} net.py") == "refused\n" * len(places)


def test_a_file_cannot_fill_the_disk(sandbox: Sandbox, root: Path) -> None:
    attack(sandbox, root, "truncate -s 40G big || dd if=/dev/zero of=big bs=1M seek=40000 count=1")
    assert not (root / "big").exists() or (root / "big").stat().st_size < 20 << 30


@pytest.mark.parametrize("kind", ["bubblewrap", "second user"])
def test_many_files_cannot_fill_the_disk(place: Path, root: Path, kind: str) -> None:
    environ = {"PATH": os.defpath, "HOME": str(place / "home")}

    def sandbox(spare: int) -> Bubblewrap | SecondUser:
        if kind == "bubblewrap":
            return Bubblewrap(environ, spare_bytes=spare)
        return SecondUser(environ, place, spare_bytes=spare)

    if sandbox(0).available():
        pytest.skip("no such sandbox here")
    command = "i=0; while :; do head -c 30000000 /dev/zero >f$((i % 40)); i=$((i+1)); done"
    began = time.monotonic()
    left = shutil.disk_usage(root).free - (100 << 20)
    result = sandbox(left).run(command, str(root), 30)
    assert time.monotonic() - began < 25
    assert Incident(IncidentKind.DISK, "ended: the disk is nearly full") in result.incidents
    assert (result.stopped, result.exit_code) == (False, 130)


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


LOOPBACK = """
import socket, threading
server = socket.create_server(("127.0.0.1", 0))
def call():
    socket.create_connection(("localhost", server.getsockname()[1]), 5).sendall(b"hello")
thread = threading.Thread(target=call)
thread.start()
print(server.accept()[0].recv(5).decode())
thread.join()
own = socket.socket(socket.AF_UNIX)
own.bind("own.socket")
own.listen()
socket.socket(socket.AF_UNIX).connect("own.socket")
print("unix")
"""
AROUND = """
import socket
def tried(what, call):
    try: print("reached", what, call())
    except OSError: print("refused")
address = ("203.0.113.7", 80)
tried("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", address))
tried("fast open", lambda: socket.socket().sendto(b"x", 0x20000000, address))
tried("fast open", lambda: socket.socket().sendmsg([b"x"], [], 0x20000000, address))
tried("sctp", lambda: socket.socket(2, 1, 132).connect(address))
tried("vsock", lambda: socket.socket(40, 1))
tried("alg", lambda: socket.socket(38, 5))
tried("mapped", lambda: socket.socket(socket.AF_INET6).connect(("::ffff:203.0.113.7", 80)))
"""


@pytest.mark.skipif(PYTHON is None, reason="no python3 of the system's")
def test_loopback_works_as_test_suites_need_it(sandbox: Sandbox, root: Path) -> None:
    (root / "loop.py").write_text(LOOPBACK)
    assert attack(sandbox, root, f"{PYTHON} loop.py 2>&1") == "hello\nunix\n"


@pytest.mark.skipif(PYTHON is None, reason="no python3 of the system's")
def test_there_is_no_way_around_what_connects(sandbox: Sandbox, root: Path) -> None:
    (root / "around.py").write_text(AROUND)
    assert attack(sandbox, root, f"{PYTHON} around.py 2>&1") == "refused\n" * 7


@pytest.mark.parametrize(
    ("kind", "subject", "command"),
    [
        (IncidentKind.REFUSED, "hooks/pre-commit", "echo x >.git/hooks/pre-commit"),
        (IncidentKind.REFUSED, "/usr/pwned", "echo x >/usr/pwned"),
        (IncidentKind.LEFT_OVER, "1", "(setsid sleep 20 &)"),
        (IncidentKind.DISK, "", "dd if=/dev/zero of=big bs=1M seek=40000 count=1"),
        (IncidentKind.MEMORY, "", f"{PYTHON} -c 'bytearray(60 << 30)'"),
    ],
)
def test_what_was_tried_is_told(
    sandbox: Sandbox, root: Path, kind: IncidentKind, subject: str, command: str
) -> None:
    told = sandbox.run(command, str(root), 20).incidents
    assert any(i.kind is kind and subject in i.subject for i in told), told


def test_a_command_that_had_to_be_ended_is_told(sandbox: Sandbox, root: Path) -> None:
    late = sandbox.run("sleep 20", str(root), 0.3)
    assert Incident(IncidentKind.TIME, "0.3") in late.incidents
    began = time.monotonic()
    stopped = sandbox.run("echo x >kept; sleep 20", str(root), 20, stop=lambda: True)
    assert Incident(IncidentKind.STOPPED) in stopped.incidents
    assert (stopped.stopped, stopped.timed_out, stopped.exit_code) == (True, False, 130)
    assert time.monotonic() - began < 3
    assert (root / "kept").read_text() == "x\n"


@pytest.mark.skipif(PYTHON is None, reason="no python3 of the system's")
def test_a_host_that_was_looked_for_is_told(sandbox: Sandbox, root: Path) -> None:
    look = "import socket\ntry: socket.create_connection(({!r}, 80), 2)\nexcept OSError: pass"
    kind, place = (
        ("host", "evil.example.com")
        if isinstance(sandbox, Bubblewrap)
        else ("address", "203.0.113.7")
    )
    (root / "look.py").write_text(look.format(place))
    told = sandbox.run(f"{PYTHON} look.py", str(root), 20).incidents
    assert any(i.kind == kind and i.subject.startswith(place) for i in told), told


def test_allowed_hosts_are_reached_through_the_proxy_alone(
    sandbox: Sandbox, root: Path, web: int
) -> None:
    fetch = f"curl -s --noproxy '' http://localhost:{web}/"
    allowed = sandbox.run(fetch, str(root), 20, hosts=(f"localhost:{web}",))
    assert allowed.output == "hello", allowed
    denied = sandbox.run(fetch, str(root), 20, hosts=("other.example.com",))
    assert "is not among the allowed hosts" in denied.output
    assert Incident(IncidentKind.HOST, f"localhost:{web}") in denied.incidents


@pytest.fixture
def web() -> Iterator[int]:
    """The port of a web server of the harness's machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Hello) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


class Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *args: object) -> None:
        pass


def running(word: str) -> int:
    """Live processes with `word` among their arguments."""
    count = 0
    for process in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
        with contextlib.suppress(OSError):
            count += word in Path(f"/proc/{process}/cmdline").read_text("utf-8", "replace")
    return count
