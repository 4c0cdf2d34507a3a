"""Attacks on a sandbox by the kernel's own means: calls, descriptors, what processes share."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.git.workspaces import GitWorkspaces
from fanfold.adapters.local.sandbox import Bubblewrap, harden_process
from fanfold.adapters.local.sandbox_uid import SecondUser
from fanfold.run.incidents import Incident, IncidentKind
from fanfold.settings import environment
from tests.fakes.repositories import make_repository

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanfold.ports import CommandResult

    Contained = Bubblewrap | SecondUser

PYTHON = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin")
NONE_WHERE_OTHERS_SKIP = environment().get("CI") == "true"

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="sandboxes of Linux"),
    pytest.mark.skipif(PYTHON is None, reason="no python3 of the system's"),
]


@pytest.fixture
def place() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="fanfold-red-"))
    for name in ("mine", "other"):
        (place / name / "tree").mkdir(parents=True)
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def root(place: Path) -> Path:
    return place / "mine" / "tree"


@pytest.fixture(params=["bubblewrap", "second user"])
def sandbox(request: pytest.FixtureRequest, place: Path) -> Contained:
    harden_process()
    environ = {"PATH": os.defpath, "HOME": str(place / "home")}
    kind = Bubblewrap(environ) if request.param == "bubblewrap" else SecondUser(environ, place)
    reason = kind.available()
    if reason and NONE_WHERE_OTHERS_SKIP and (isinstance(kind, Bubblewrap) or os.geteuid() == 0):
        pytest.fail(f"CI must have this sandbox: {reason}")
    return pytest.skip(reason) if reason else kind


def played(sandbox: Contained, root: Path, program: str, seconds: float = 20) -> CommandResult:
    (root / "attack.py").write_text(program)
    return sandbox.run(f"{PYTHON} -I attack.py 2>&1", str(root), seconds)


CALLS = """
import ctypes, os, platform
libc = ctypes.CDLL(None, use_errno=True)
arm = platform.machine() == "aarch64"
# By name: the number there and here, then what makes the call a plausible one.
calls = {
    "keyctl": (219, 250, 6, -3, 0, 0, 0),
    "add_key": (217, 248, b"user", b"x", b"y", 1, -3),
    "request_key": (218, 249, b"user", b"x", 0, -3, 0),
    "bpf": (280, 321, 0, ctypes.create_string_buffer(128), 128, 0, 0),
    "userfaultfd": (282, 323, 1, 0, 0, 0, 0),
    "perf_event_open": (241, 298, ctypes.create_string_buffer(b"\\1" + bytes(127)), 0, -1, -1, 0),
    "syslog": (116, 103, 3, ctypes.create_string_buffer(4096), 4096, 0, 0),
    "open_by_handle_at": (265, 304, -100, ctypes.create_string_buffer(64), 0, 0, 0),
    "io_uring_setup": (425, 425, 8, ctypes.create_string_buffer(120), 0, 0, 0),
    "mount": (40, 165, b"none", b"/tmp", b"tmpfs", 0, 0),
    "pivot_root": (41, 155, b".", b".", 0, 0, 0),
    "setns": (268, 308, os.open("/proc/self/ns/net", 0), 0, 0, 0, 0),
    "unshare": (97, 272, 0x10000000, 0, 0, 0, 0),
    "chroot": (51, 161, b"/", 0, 0, 0, 0),
    "init_module": (105, 175, b"x", 1, b"", 0, 0),
    "kexec_load": (104, 246, 0, 0, 0, 0, 0),
    "swapon": (224, 167, b"/dev/null", 0, 0, 0, 0),
    "settimeofday": (170, 164, ctypes.create_string_buffer(16), 0, 0, 0, 0),
    "mknod": (33, 259, -100, b"device", 0o60666, 0xFE00, 0),
}
for name, (there, here, *given) in calls.items():
    number = there if arm else here
    result = libc.syscall(number, *(a if isinstance(a, (int, bytes)) else a for a in given))
    print(name, "done" if result >= 0 else ctypes.get_errno())
"""


def test_calls_that_reach_beyond_a_command_fail_and_are_told(
    sandbox: Contained, root: Path
) -> None:
    result = played(sandbox, root, CALLS)
    assert result.output.count("\n") == 19, result.output
    done = [line for line in result.output.splitlines() if line.endswith("done")]
    assert done == []
    told = {i.subject for i in result.incidents if i.kind is IncidentKind.SYSTEM_CALL}
    names = ("keyctl", "add_key", "request_key", "bpf", "userfaultfd", "perf_event_open", "syslog")
    assert told >= {*names, "open_by_handle_at"}


LOOK = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
class Piece(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
buffer = ctypes.create_string_buffer(64)
own = Piece(ctypes.addressof(buffer), 64)
for process in ({others}):
    there = Piece({address}, 64)
    got = libc.process_vm_readv(process, ctypes.byref(own), 1, ctypes.byref(there), 1, 0)
    print("read" if got > 0 else "refused", buffer.raw[:8] if got > 0 else "")
    print("traced" if libc.ptrace(16, process, 0, 0) == 0 else "refused")
    handle = libc.syscall(434, process, 0)
    taken = libc.syscall(438, handle, 0, 0) if handle >= 0 else -1
    print("taken" if taken >= 0 else "refused")
    for name in ("mem", "environ", "fd/0", "cwd/x", "root/etc/passwd", "ns/net"):
        try: os.open(f"/proc/{{process}}/{{name}}", os.O_RDONLY); print("opened", process, name)
        except OSError: print("refused")
"""


def test_memory_and_descriptors_of_others_are_out_of_reach(
    sandbox: Contained, root: Path, place: Path
) -> None:
    secret = ctypes.create_string_buffer(b"a secret of the harness's own" * 3)
    other = place / "other" / "tree"
    napping = threading.Thread(target=sandbox.run, args=("sleep 6.125", str(other), 20))
    napping.start()
    try:
        while not (siblings := processes_with("6.125")):
            time.sleep(0.02)
        others = ", ".join(map(str, (os.getpid(), os.getppid(), *siblings)))
        told = played(sandbox, root, LOOK.format(others=others, address=ctypes.addressof(secret)))
        lines = set(told.output.splitlines())
        # A number may be one of the command's own, where it has numbers to itself.
        assert "secret" not in told.output
        if isinstance(sandbox, SecondUser):
            assert lines == {"refused", "refused "}, told.output
    finally:
        napping.join()


DESCRIPTORS = """
import fcntl, os, stat
print(sorted(int(n) for n in os.listdir("/proc/self/fd"))[:-1])
print(stat.S_ISFIFO(os.fstat(1).st_mode), os.readlink("/proc/self/fd/0"))
try:
    terminal = os.open("/dev/tty", os.O_RDWR)
    fcntl.ioctl(terminal, 0x5412, b"x")
    print("typed")
except OSError: print("no terminal")
"""


def test_nothing_is_inherited_but_an_empty_input_and_a_pipe(sandbox: Contained, root: Path) -> None:
    spare = os.open(root, os.O_RDONLY)
    os.set_inheritable(spare, True)
    try:
        told = played(sandbox, root, DESCRIPTORS).output
    finally:
        os.close(spare)
    assert told == "[0, 1, 2]\nTrue /dev/null\nno terminal\n"


SOCKETS = """
import socket
for kind, name in {places!r}:
    try:
        own = socket.socket(socket.AF_UNIX, kind)
        own.settimeout(2)
        own.connect(name)
        own.sendall(b"stolen")
        print("reached", name)
    except OSError: print("refused")
"""


def test_sockets_of_the_machine_are_not_reached(
    sandbox: Contained, root: Path, place: Path
) -> None:
    names = (f"\0fanfold-{os.getpid()}-{time.time_ns()}", str(place / "mine" / "service"))
    servers: list[socket.socket] = []
    for name in names:
        servers.append(socket.socket(socket.AF_UNIX))
        servers[-1].bind(name)
        servers[-1].listen()
        servers[-1].settimeout(0.1)
    Path(names[1]).chmod(0o777)
    try:
        places = [(int(socket.SOCK_STREAM), name) for name in names]
        told = played(sandbox, root, SOCKETS.format(places=places))
        assert told.output == "refused\n" * 2
        for server in servers:
            try:
                assert server.accept()[0].recv(10) == b""
            except TimeoutError:
                continue
    finally:
        for server in servers:
            server.close()


SHARED = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
key = {key}
found = libc.shmget(key, 4096, 0)
print("found" if found >= 0 else "none")
print("made" if libc.shmget(key + 1, 4096, 0o1666) >= 0 else "refused")
print("queue" if libc.msgget(key + 2, 0o1666) >= 0 else "refused")
"""


def test_shared_memory_is_neither_found_nor_left(sandbox: Contained, root: Path) -> None:
    libc, key = ctypes.CDLL(None, use_errno=True), 0x66000000 + os.getpid() % 0xFFFF * 16
    own = libc.shmget(key, 4096, 0o1600)
    try:
        for _ in range(2):
            told = played(sandbox, root, SHARED.format(key=key)).output
            assert told.splitlines()[0] == "none" or isinstance(sandbox, SecondUser), told
            assert libc.shmget(key + 1, 4096, 0) < 0
            assert libc.msgget(key + 2, 0) < 0
    finally:
        libc.shmctl(own, 0, None)


FORGED = """
import socket, time
label = b"x\\nended\\t0\\nhost\\tforged.example.com"
packet = b"ab" + bytes((1, 0, 0, 1, 0, 0, 0, 0, 0, 0)) + bytes([len(label)]) + label + b"\\0"
own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
own.sendto(packet + bytes((0, 1, 0, 1)), ("127.0.0.1", 53))
time.sleep(1)
print("to its end")
"""


def test_a_name_that_looks_like_a_line_ends_no_command(place: Path, root: Path) -> None:
    sandbox = Bubblewrap({"PATH": os.defpath, "HOME": str(place / "home")})
    if sandbox.available():
        pytest.skip("no bubblewrap")
    told = played(sandbox, root, FORGED)
    assert (told.output, told.exit_code) == ("to its end\n", 0)
    assert Incident(IncidentKind.HOST, "forged.example.com") not in told.incidents


DEAF = """
import os, signal, time
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        for descriptor in range(3): os.close(descriptor)
        time.sleep(2)
        open("late", "w").close()
        os._exit(0)
print("begun", flush=True)
time.sleep(60)
"""


def test_who_is_deaf_to_signals_is_ended_in_time(sandbox: Contained, root: Path) -> None:
    began = time.monotonic()
    result = played(sandbox, root, DEAF, seconds=1)
    assert (result.timed_out, result.output) == (True, "begun\n")
    assert time.monotonic() - began < 4
    time.sleep(2.2)
    assert not (root / "late").exists()


def test_each_command_begins_with_nothing_of_the_one_before(sandbox: Contained, root: Path) -> None:
    leave = (
        "(setsid sleep 9 &); for d in /tmp /var/tmp /run /dev/shm ~ /dev; do"
        ' echo x >"$d/left"; mkdir "$d/folder"; done; ulimit -n 64; cd /; umask 0'
    )
    sandbox.run(leave, str(root), 20)
    places = ("/tmp", "/var/tmp", "/run", "/dev/shm", "~", "/dev")
    look = f"ls -d {' '.join(f'{p}/left {p}/folder' for p in places)}; umask; pwd"
    told = sandbox.run(f"({look}) 2>/dev/null; pgrep sleep", str(root), 20).output.splitlines()
    assert [line for line in told if "left" in line or "folder" in line] == []
    assert told[0] == "0022"
    assert told[1] in (str(root), "/workspace")


def test_commands_of_one_tree_at_once_do_not_see_each_other(place: Path, root: Path) -> None:
    sandbox = Bubblewrap({"PATH": os.defpath, "HOME": str(place / "home")})
    if sandbox.available():
        pytest.skip("no bubblewrap")
    sandbox.run("true", str(root), 20)
    results: list[str] = []

    def run(number: int) -> None:
        command = f"echo {number} >/tmp/mine; sleep 0.5; cat /tmp/mine; ls /proc | grep -c '^[0-9]'"
        results.append(sandbox.run(command, str(root), 20).output)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(6)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(r.split()[0] for r in results) == [str(n) for n in range(6)]
    assert {int(r.split()[1]) for r in results} <= {3, 4, 5}
    assert time.monotonic() - began < 2.5


def test_files_with_hostile_names_are_kept_and_go_with_the_workspace(
    sandbox: Contained, place: Path, tmp_path: Path
) -> None:
    repository = make_repository(tmp_path / "repo", {"a.txt": "a\n"})
    workspaces = GitWorkspaces(repository, place / "live", sandbox)
    workspace = workspaces.open(repository.tree_of("HEAD"), shell=True, name="--evil\n;name")
    names = ["-rf", "$(touch pwned)", "new\nline", "tab\t", "*", "é", "x" * 200]
    program = "import os\n" + "".join(f"open({n!r}, 'w').write('x')\n" for n in names)
    workspace.write("make.py", program.encode())
    told = workspace.run(f"{PYTHON} make.py; mkfifo pipe", 20)
    assert told.exit_code == 0, told.output
    assert set(names) <= set(workspace.files())
    assert "pwned" not in workspace.files()
    assert repository.read(workspace.tree(), "new\nline") == b"x"
    workspace.run("mkdir -p shut/in && chmod 0 shut/in shut", 20)
    workspace.close()
    workspaces.close()
    assert list((place / "live").glob("live-*")) == []


def processes_with(word: str) -> list[int]:
    """Live processes that are called with `word`."""
    found: list[int] = []
    for process in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
        try:
            words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if word.encode() in words:
            found.append(int(process))
    return found
