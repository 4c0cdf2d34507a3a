"""Commands that a model wrote, as another user: for containers, where no namespace can be made."""

from __future__ import annotations

import os
import platform
import stat
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from fanfold.adapters.folders import temporary_folder
from fanfold.adapters.local import seccomp, second_user
from fanfold.adapters.local.audit import audited
from fanfold.adapters.local.bounded import run_bounded
from fanfold.adapters.local.disk_watch import DiskWatch
from fanfold.adapters.local.host_proxy import HostProxy, proxy_variables
from fanfold.adapters.local.leftovers import clear, end_all, mapped_users
from fanfold.adapters.local.registries import registry_hosts, registry_variables
from fanfold.adapters.local.sandbox_mounts import clean_environment
from fanfold.adapters.local.shell import PROCESSES, prepared, shell
from fanfold.adapters.local.standalone import program_file, python_words
from fanfold.errors import SandboxUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fanfold.ports import CommandResult, StopSignal

FIRST_USER, USERS, _FEWEST = 1 << 20, 1 << 30, 1000
LONGEST_NAME, LONGEST_PATH = 255, 4096


class SecondUser:
    """`ports.Sandbox`: each tree has a user of its own, who may write it and nothing else.

    The harness must be root; its environment, memory and files are not that user's to read, and
    neither are other trees. All its processes end with the command. What is readable for everybody
    on the machine can be read. Without `online` nothing but loopback can be reached, and through a
    proxy on it `allow_hosts`; a container must grant CAP_SYS_PTRACE for that, else loopback is shut
    too. Folders at or below `home` are opened for passing through.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        home: Path,
        *,
        online: bool = False,
        processes: int = PROCESSES,
        allow_hosts: Sequence[str] = (),
        spare_bytes: int | None = None,
    ) -> None:
        self._environ, self._environment = environ, clean_environment(environ)
        self._home, self._allow_hosts = home.absolute(), tuple(allow_hosts)
        self._spare_bytes = spare_bytes
        self._online, self._processes = online, processes
        self._upstream = environ.get("HTTPS_PROXY") or environ.get("https_proxy") or ""

    def available(self) -> str | None:
        """None where commands can be contained; else why not, and the mend."""
        if sys.platform != "linux":
            return "another user contains commands on Linux alone"
        if os.geteuid() != 0:
            return "only root can run commands as another user"
        if len(mapped_users()) < _FEWEST:
            return "this namespace has no other user: map a range of them (`/etc/subuid`)"
        if not self._online and platform.machine() not in seccomp.ARCHITECTURES:
            return f"the network cannot be denied on {platform.machine()}"
        return None

    def run(
        self,
        command: str,
        root: str,
        timeout_s: float,
        *,
        stop: StopSignal | None = None,
        hosts: Sequence[str] | None = None,
    ) -> CommandResult:
        """Run `sh -c command` at `root`. Raises `SandboxUnavailable` where it cannot be entered."""
        problem = self.available()
        if problem:
            raise SandboxUnavailable(problem)
        user = user_of(root)
        self._open_up(Path(root))
        _hand_over(Path(root), user)
        names = self._allow_hosts if hosts is None else tuple(hosts)
        allowed = registry_hosts(names, self._environ)
        watch = DiskWatch(root, stop, self._spare_bytes)
        with ExitStack() as stack:
            home = stack.enter_context(temporary_folder("fanfold-home-"))
            os.chown(home, user, user)
            stack.callback(clear, user)
            variables = {"HOME": str(home), "TMPDIR": str(home), **_TRUSTING}
            variables |= registry_variables(names, self._environ)
            proxy = None
            if allowed and not self._online:
                proxy = stack.enter_context(HostProxy(allowed, port=True, upstream=self._upstream))
                variables |= proxy_variables(proxy.address)
            words = shell(command, self._processes)
            environ = {**prepared(self._environment, Path(root), root), **variables}
            result, said = self._as(user, words, timeout_s, root, environ, watch)
            told = said + (proxy.told if proxy else b"")
            return watch.judged(audited(result, timeout_s, told, allowed))

    def can_guard(self) -> bool:
        """Whether connections of another user's can be judged here: loopback is reached so."""
        if self.available():
            return False
        trial = self._as(user_of("/"), (), 10, "/", {}, None)[0]
        return trial.exit_code == 0

    def _as(
        self,
        user: int,
        words: Sequence[str],
        timeout_s: float,
        root: str,
        environ: Mapping[str, str],
        stop: StopSignal | None,
    ) -> tuple[CommandResult, bytes]:
        """Run as another user; with the result come lines of what that was kept from."""
        with (
            tempfile.TemporaryFile() as report,
            program_file(second_user, seccomp) as program,
        ):
            told = (str(report.fileno()), str(user), str(int(self._online)))
            result = run_bounded(
                [*python_words(), *told, *words],
                timeout_s,
                cwd=root,
                env=environ,
                stdin=program,
                pass_fds=(report.fileno(),),
                sweep=lambda: end_all(user),
                stop=stop,
            )
            report.seek(0)
            return result, report.read()

    def _open_up(self, root: Path) -> None:
        for folder in root.absolute().parents:
            mode = folder.stat().st_mode
            if mode & stat.S_IXOTH:
                continue
            if not folder.is_relative_to(self._home):
                raise SandboxUnavailable(f"{folder} keeps other users out: `chmod o+x {folder}`")
            folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def user_of(root: str) -> int:
    """The user's id: no two trees of a file system have one inode.

    In a namespace with few users two trees may come to have the same one.
    """
    number, users = Path(root).stat().st_ino, mapped_users()
    if users.stop >= FIRST_USER + USERS:
        return FIRST_USER + number % USERS
    few = max(users.start, 1), users.stop
    return few[0] + number % (few[1] - few[0])


_TRUSTING = {
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
}


def _hand_over(root: Path, user: int) -> None:
    """The tree to its user; the root's entry and `.git` stay ours, so that neither is replaced."""
    os.chown(root, 0, user)
    root.chmod(0o1770)
    for place in _below(root, user):
        os.chown(place, user, user, follow_symlinks=False)


def _below(root: Path, user: int) -> Iterator[str]:
    """What is not the user's yet; a file with other names may be somebody else's too.

    What lies too deep to be named was made by the user's own commands.
    """
    waiting = [str(root)]
    while waiting:
        folder = waiting.pop()
        for item in _items(folder):
            if folder == str(root) and item.name == ".git":
                continue
            status = item.stat(follow_symlinks=False)
            is_folder = stat.S_ISDIR(status.st_mode)
            if status.st_uid != user and (is_folder or status.st_nlink == 1):
                yield item.path
            if is_folder:
                waiting.append(item.path)


def _items(folder: str) -> list[os.DirEntry[str]]:
    if len(os.fsencode(folder)) + LONGEST_NAME >= LONGEST_PATH:
        return []
    with os.scandir(folder) as found:
        return list(found)
