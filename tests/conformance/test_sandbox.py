"""What every `Sandbox` does with a command, and what bubblewrap keeps it from."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.folders import remove
from fanfold.adapters.local.sandbox import Bubblewrap, NoSandbox, harden_process
from fanfold.adapters.local.sandbox_alone import Alone
from fanfold.adapters.local.sandbox_uid import SecondUser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanfold.ports import Sandbox

SECRET = "sk-" + "obviously-fake-" * 2


def environment(home: Path) -> dict[str, str]:
    return {
        "PATH": os.defpath + ":/usr/local/bin",
        "HOME": str(home),
        "ANTHROPIC_API_KEY": SECRET,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "GITHUB_TOKEN": SECRET,
        "LC_ALL": "C.UTF-8",
        "JAVA_HOME": "/opt/java",
        "SSH_AUTH_SOCK": "/tmp/agent",
    }


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not below pytest's own folder, which keeps other users out."""
    with tempfile.TemporaryDirectory(prefix="fanfold-test-") as name:
        yield Path(name)


@pytest.fixture
def home(folder: Path) -> Path:
    home = folder / "home"
    for name in (".ssh/id", ".aws/credentials", ".claude/x", "work/private.txt"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(SECRET)
    return home


@pytest.fixture
def root(folder: Path) -> Path:
    root = folder / "attempt" / "tree"
    (root / ".git" / "hooks").mkdir(parents=True)
    (root / "a.txt").write_text("a\n")
    return root


@pytest.fixture
def bubblewrap(home: Path) -> Bubblewrap:
    sandbox = Bubblewrap(environment(home))
    reason = sandbox.available()
    if reason:
        pytest.skip(reason)
    return sandbox


@pytest.fixture(params=["bubblewrap", "second user", "alone", "none"])
def sandbox(request: pytest.FixtureRequest, home: Path, folder: Path) -> Sandbox:
    if request.param == "none":
        return NoSandbox(environment(home))
    if request.param == "alone":
        return Alone(environment(home))
    if request.param == "second user":
        sandbox = SecondUser(environment(home), folder)
        reason = sandbox.available()
        return pytest.skip(reason) if reason else sandbox
    return request.getfixturevalue("bubblewrap")


def output(sandbox: Sandbox, root: Path, command: str) -> str:
    return sandbox.run(command, str(root), 20).output


def test_commands_run_at_the_root_and_may_write_there(sandbox: Sandbox, root: Path) -> None:
    result = sandbox.run("cat a.txt; echo b >b.txt; mkdir d; echo oops >&2; exit 7", str(root), 20)
    assert (result.exit_code, result.output, result.timed_out) == (7, "a\noops\n", False)
    assert (root / "b.txt").read_text() == "b\n"
    assert result.duration_s > 0


def test_no_input_is_waited_for(sandbox: Sandbox, root: Path) -> None:
    assert sandbox.run("cat; read x || echo none", str(root), 20).output == "none\n"


def test_signals_show_in_the_exit_code(sandbox: Sandbox, root: Path) -> None:
    assert sandbox.run("kill -TERM $$", str(root), 20).exit_code == 143


def test_output_that_is_no_text_is_decoded(sandbox: Sandbox, root: Path) -> None:
    assert output(sandbox, root, r"printf 'caf\351'") == "caf\N{REPLACEMENT CHARACTER}"


def test_head_and_tail_of_a_flood_are_kept(sandbox: Sandbox, root: Path) -> None:
    told = output(sandbox, root, "echo first; yes | head -c 9000000; echo last")
    assert told.startswith("first\ny\n")
    assert told.endswith("y\nlast\n"), told[-200:]
    assert "bytes left out" in told
    assert len(told) < 2_100_000


def test_a_reader_that_goes_away_ends_its_writer_quietly(sandbox: Sandbox, root: Path) -> None:
    assert output(sandbox, root, "yes | head -c 2; yes | true; echo last") == "y\nlast\n"


def test_late_commands_are_stopped_with_all_their_children(sandbox: Sandbox, root: Path) -> None:
    start = time.monotonic()
    command = "(setsid sh -c 'sleep 1; echo x >late' &) ; sh -c 'sleep 1; echo x >late' & sleep 60"
    result = sandbox.run(f"echo begun; {command}", str(root), 0.4)
    assert result.timed_out
    assert result.exit_code == 124
    assert result.output == "begun\n"
    assert time.monotonic() - start < 1
    time.sleep(1)
    assert not (root / "late").exists()


def test_children_do_not_outlive_their_command(sandbox: Sandbox, root: Path) -> None:
    start = time.monotonic()
    command = "(setsid sh -c 'sleep 1; echo x >late' &) ; (sleep 1; echo x >late) & echo done"
    assert sandbox.run(command, str(root), 20).output == "done\n"
    assert time.monotonic() - start < 1
    time.sleep(1.2)
    assert not (root / "late").exists()


def test_what_lies_deep_hinders_no_later_command(sandbox: Sandbox, root: Path, home: Path) -> None:
    dig = "mkdir -p $(printf 'a/%.0s' $(seq 1500))"
    try:
        assert sandbox.run(f"{dig}; cd && {dig}", str(root), 20).exit_code == 0
        assert output(sandbox, root, "echo on") == "on\n"
    finally:
        remove(root / "a")
        remove(home / "a")


def test_the_environment_is_an_allow_list(sandbox: Sandbox, root: Path) -> None:
    told = output(
        sandbox, root, "env; cat /proc/self/environ /proc/1/environ 2>/dev/null | tr '\\0' '\\n'"
    )
    assert SECRET not in told
    assert "SSH_AUTH_SOCK" not in told
    assert {"JAVA_HOME=/opt/java", "LC_ALL=C.UTF-8", "CI=1"} <= set(told.splitlines())


def test_limits_hold(sandbox: Sandbox, root: Path) -> None:
    assert output(sandbox, root, "ulimit -c").strip() == "0"
    assert output(sandbox, root, "ulimit -f").strip() != "unlimited"
    assert output(sandbox, root, "ulimit -u 2>/dev/null || ulimit -p").strip() != "unlimited"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may read any process")
def test_the_harness_shows_its_environment_to_no_one(sandbox: Sandbox, root: Path) -> None:
    harden_process()
    told = output(sandbox, root, f"cat /proc/{os.getpid()}/environ || echo denied")
    assert told.endswith("denied\n")


def test_nothing_of_the_users_is_visible(bubblewrap: Bubblewrap, root: Path, home: Path) -> None:
    told = output(
        bubblewrap, root, "cat ~/.ssh/id ~/.aws/credentials ~/.claude/x ~/work/*; ls -A ~"
    )
    assert SECRET not in told
    assert ".ssh" not in told.splitlines()
    assert output(bubblewrap, root, f"ls {root} {root.parent} {home}/work 2>/dev/null") == ""
    assert output(bubblewrap, root, "ls -A /tmp /run; echo x >/tmp/x && echo ok").endswith("ok\n")


def test_private_settings_of_the_machine_are_hidden(bubblewrap: Bubblewrap, root: Path) -> None:
    if not Path("/etc/shadow").exists():
        pytest.skip("no /etc/shadow here")
    assert "root:" not in output(bubblewrap, root, "cat /etc/shadow")
    assert "root:" in output(bubblewrap, root, "cat /etc/passwd")


@pytest.mark.parametrize(
    "place", ["/usr/x", "/etc/x", "/x", "/proc/sys/kernel/hostname", ".git/hooks/x", ".git/config"]
)
def test_writing_elsewhere_fails(bubblewrap: Bubblewrap, root: Path, place: str) -> None:
    assert bubblewrap.run(f"echo pwned >{place}", str(root), 20).exit_code != 0


def test_the_private_git_cannot_be_replaced(bubblewrap: Bubblewrap, root: Path) -> None:
    assert bubblewrap.run("mv .git x || rm -rf .git", str(root), 20).exit_code != 0
    assert (root / ".git" / "hooks").is_dir()


def test_other_processes_are_not_visible(bubblewrap: Bubblewrap, root: Path) -> None:
    told = output(
        bubblewrap, root, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '; kill -9 -1; echo alive"
    )
    assert "pytest" not in told
    assert str(root) not in told
    assert len(output(bubblewrap, root, "ls /proc | grep '^[0-9]'").split()) < 8


def test_there_is_no_network_but_loopback(bubblewrap: Bubblewrap, root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        script = (
            "import socket\n"
            "own = socket.create_server(('127.0.0.1', 0))\n"
            "socket.create_connection(own.getsockname(), 2); print('own loopback')\n"
            f"for place in (('127.0.0.1', {port}), ('1.1.1.1', 80)):\n"
            "    try: socket.create_connection(place, 2); print('reached', place)\n"
            "    except OSError: print('refused')\n"
        )
        (root / "net.py").write_text(script)
        told = output(bubblewrap, root, "/usr/bin/env python3 net.py || echo no python")
    if "no python" in told:
        pytest.skip("no python3 in the system's folders")
    assert told.splitlines() == ["own loopback", "refused", "refused"]


def test_no_capability_and_no_new_privileges(bubblewrap: Bubblewrap, root: Path) -> None:
    status = dict(
        line.split(":\t", 1)
        for line in output(bubblewrap, root, "cat /proc/self/status").splitlines()
        if ":\t" in line
    )
    assert {status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"


def test_no_further_namespaces_can_be_made(bubblewrap: Bubblewrap, root: Path) -> None:
    told = output(bubblewrap, root, "command -v unshare >/dev/null || echo none; bwrap --version")
    version = told.split()[-1].split(".")
    if "none" in told or [int(part) for part in version[:2]] < [0, 8]:
        pytest.skip("no unshare, or a bubblewrap before 0.8")
    assert bubblewrap.run("unshare -U true", str(root), 20).exit_code != 0


@pytest.mark.skipif(os.geteuid() == 0, reason="the kernel exempts root from RLIMIT_NPROC")
def test_a_fork_bomb_is_bounded(bubblewrap: Bubblewrap, root: Path, home: Path) -> None:
    command = "i=0; while [ $i -lt 100 ]; do sleep 30 & i=$((i+1)); done; echo all"
    result = Bubblewrap(environment(home), processes=50).run(command, str(root), 60)
    assert "all\n" not in result.output
    assert result.exit_code != 0


def test_a_growing_crowd_ends_with_its_command(bubblewrap: Bubblewrap, root: Path) -> None:
    before = len(list(Path("/proc").glob("[0-9]*")))
    bubblewrap.run(
        "i=0; while [ $i -lt 200 ]; do sleep 30 & i=$((i+1)); done; sleep 30", str(root), 1
    )
    assert len(list(Path("/proc").glob("[0-9]*"))) < before + 100


def test_toolchains_below_home_are_visible_without_their_secrets(root: Path, home: Path) -> None:
    kit = home / ".kit"
    for name in ("bin", "lib"):
        (kit / name).mkdir(parents=True)
    (kit / "bin" / "real").write_text("#!/bin/sh\ncat ~/.kit/lib/data\n")
    (kit / "bin" / "real").chmod(0o755)
    (kit / "lib" / "data").write_text("library\n")
    (kit / "credentials.toml").write_text(SECRET)
    links = home / ".local" / "bin"
    links.mkdir(parents=True)
    (links / "tool").symlink_to(kit / "bin" / "real")
    (home / ".local" / "private").write_text(SECRET)
    sandbox = Bubblewrap({**environment(home), "PATH": f"{links}:{os.defpath}"})
    if sandbox.available():
        pytest.skip("no bubblewrap")
    assert output(sandbox, root, "tool") == "library\n"
    assert SECRET not in output(sandbox, root, "cat ~/.kit/credentials.toml ~/.local/private")
    assert sandbox.run("echo x >~/.kit/lib/data", str(root), 20).exit_code != 0


def test_the_sandbox_says_why_it_is_not_available(home: Path, tmp_path: Path) -> None:
    reason = Bubblewrap({"PATH": str(tmp_path), "HOME": str(home)}).available()
    assert reason
    assert "install" in reason or "--no-sandbox" in reason
