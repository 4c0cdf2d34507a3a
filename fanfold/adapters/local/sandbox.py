"""Commands that a model wrote, contained by bubblewrap; and a runner for who goes without."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from fanfold.adapters.local import warden
from fanfold.adapters.local.audit import audited
from fanfold.adapters.local.bounded import run_bounded
from fanfold.adapters.local.disk_watch import DiskWatch
from fanfold.adapters.local.host_proxy import HostProxy, proxy_variables
from fanfold.adapters.local.marked import MARK, kill_marked
from fanfold.adapters.local.namespaces import namespace_mend
from fanfold.adapters.local.registries import registry_hosts, registry_variables
from fanfold.adapters.local.sandbox_mounts import clean_environment
from fanfold.adapters.local.sandbox_view import view
from fanfold.adapters.local.shell import PROCESSES, shell
from fanfold.errors import SandboxUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fanfold.ports import CommandResult, StopSignal

WORKSPACE = "/workspace"
_NAMESPACES = ("--unshare-all", "--cap-drop", "ALL", "--die-with-parent", "--new-session")
# The warden's alone, to hear look-ups; the command has none.
_CAPABILITIES = (
    *("CAP_NET_BIND_SERVICE", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_SYS_ADMIN", "CAP_SYS_RESOURCE"),
)
_RESOLVER = Path("/etc/resolv.conf")
_NAME_SERVER = b"nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"
_PR_SET_DUMPABLE = 4


def harden_process() -> None:
    """Keep same-user processes from this one's memory and environment (PR_SET_DUMPABLE=0)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


class Bubblewrap:
    """`ports.Sandbox`: only the tree, at `/workspace`, can be written, and only loopback reached.

    The system, toolchains and `.git` are read-only; HOME and /tmp are empty and forgotten after
    each command; all its processes die with it. `allow_hosts`, or kinds of registries, can be
    reached through a proxy that the usual variables name. `spare_bytes` of the disk are left over.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        processes: int = PROCESSES,
        allow_hosts: Sequence[str] = (),
        spare_bytes: int | None = None,
    ) -> None:
        self._environ, self._processes = environ, processes
        self._allow_hosts, self._spare_bytes = tuple(allow_hosts), spare_bytes
        self._environment = clean_environment(environ)
        self._program = shutil.which("bwrap", path=self._environment["PATH"]) or "bwrap"

    def run(
        self,
        command: str,
        root: str,
        timeout_s: float,
        *,
        stop: StopSignal | None = None,
        hosts: Sequence[str] | None = None,
    ) -> CommandResult:
        """Run `sh -c command` at `root`. Raises `SandboxUnavailable` when it could not start."""
        names = self._allow_hosts if hosts is None else tuple(hosts)
        watch = DiskWatch(root, stop, self._spare_bytes)
        call = _Call(shell(command, self._processes), Path(root), timeout_s, watch)
        if not names:
            return watch.judged(audited(*self._run(call, hearing=self._hears)))
        allowed = registry_hosts(names, self._environ)
        call = call._replace(variables=registry_variables(names, self._environ))
        with HostProxy(allowed) as proxy:
            result, seconds, told = self._run(call, proxy.folder, hearing=self._hears)
            return watch.judged(audited(result, seconds, told + proxy.told, allowed))

    def _run(
        self, call: _Call, reachable: Path | None = None, *, hearing: bool
    ) -> tuple[CommandResult, float, bytes]:
        with ExitStack() as stack:
            options, status, report, names = (
                stack.enter_context(tempfile.TemporaryFile()) for _ in range(4)
            )
            names.write(_NAME_SERVER)
            names.seek(0)
            told = (
                *("--json-status-fd", str(status.fileno())),
                *(_proxied() if reachable else _UNREACHABLE),
                *self._options(call.root, reachable),
                *self._privileges(hearing=hearing),
                *(_resolver(names.fileno()) if hearing else ()),
                *("--remount-ro", "/", "--chdir", WORKSPACE),
            )
            options.write(b"".join(os.fsencode(option) + b"\0" for option in told))
            options.seek(0)
            result = run_bounded(
                [
                    *(self._program, "--args", str(options.fileno())),
                    *_warden(report.fileno(), reachable is not None, hearing),
                    *call.words,
                ],
                call.timeout_s,
                cwd="/",
                env={**self._environment, **call.variables},
                pass_fds=[file.fileno() for file in (options, status, report, names)],
                sweep=lambda late: _kill_contained(status) if late else None,
                stop=call.stop,
            )
            status.seek(0)
            report.seek(0)
            if b'"exit-code"' not in status.read() and not (result.timed_out or result.stopped):
                said = result.output.strip()[-300:]
                raise SandboxUnavailable(
                    f"the sandbox did not start ({said}): see `fanfold doctor`"
                )
            return result, call.timeout_s, report.read()

    def available(self) -> str | None:
        """None where commands can be contained; else why not, and the mend."""
        if sys.platform != "linux":
            return "there is no sandbox on this system yet: run on Linux, or accept `--no-sandbox`"
        if not Path(self._program).is_absolute():
            return (
                "bubblewrap is not installed: `apt install bubblewrap` or `dnf install bubblewrap`"
            )
        try:
            with tempfile.TemporaryDirectory() as folder:
                result = self.run("true", folder, 10)
        except SandboxUnavailable as error:
            return namespace_mend(str(error))
        return None if result.exit_code == 0 else f"the sandbox fails: {result.output.strip()}"

    def _options(self, root: Path, reachable: Path | None) -> list[str]:
        """Given through a file, as the command could read them in /proc/1/cmdline otherwise."""
        own_git = root / ".git"
        read_only = ("--ro-bind", str(own_git), f"{WORKSPACE}/.git") if own_git.is_dir() else ()
        proxy = ("--bind", str(reachable), str(Path(warden.SOCKET).parent)) if reachable else ()
        return [*self._view, *("--bind", str(root), WORKSPACE, *read_only, *proxy)]

    @cached_property
    def _view(self) -> list[str]:
        own = [Path(sys.base_prefix)]
        return [*_NAMESPACES, *view(self._environ, own, sized=self._version >= (0, 7))]

    def _privileges(self, *, hearing: bool) -> Iterator[str]:
        """For the warden to forbid namespaces; where it cannot, bubblewrap does if it knows how."""
        if hearing:
            yield from ("--uid", "0", "--gid", "0")
            for capability in _CAPABILITIES:
                yield from ("--cap-add", capability)
        elif self._version >= (0, 8):
            yield from ("--unshare-user", "--disable-userns")

    @cached_property
    def _hears(self) -> bool:
        """Whether the warden can be given what it takes to hear look-ups (AppArmor may object)."""
        with tempfile.TemporaryDirectory() as folder:
            trial = _Call(("/bin/true",), Path(folder), 10, None)
            try:
                return self._run(trial, hearing=True)[0].exit_code == 0
            except SandboxUnavailable:
                return False

    @cached_property
    def _version(self) -> tuple[int, ...]:
        told = subprocess.run(  # noqa: S603
            [self._program, "--version"],
            capture_output=True,
            check=False,
            env=self._environment,
        )
        version = told.stdout.decode().split()[-1:] or ["0"]
        return tuple(int(part) for part in version[0].split(".") if part.isdigit())


class NoSandbox:
    """`ports.Sandbox` that contains nothing: for `--no-sandbox`, or a machine that is a sandbox.

    The environment is still clean, limits still hold, and no process outlives its command.
    """

    def __init__(self, environ: Mapping[str, str], *, processes: int = PROCESSES) -> None:
        self._environment, self._processes = clean_environment(environ), processes

    def run(
        self,
        command: str,
        root: str,
        timeout_s: float,
        *,
        stop: StopSignal | None = None,
        hosts: Sequence[str] | None = None,  # noqa: ARG002
    ) -> CommandResult:
        mark = secrets.token_hex(16)
        result = run_bounded(
            shell(command, self._processes),
            timeout_s,
            cwd=root,
            env={**self._environment, MARK: mark},
            sweep=lambda _: kill_marked(mark),
            stop=stop,
        )
        return audited(result, timeout_s)


# Who cannot reach anything should say so at once.
_UNREACHABLE = (
    *("--setenv", "PIP_RETRIES", "0", "--setenv", "UV_HTTP_RETRIES", "0"),
    *("--setenv", "NPM_CONFIG_FETCH_RETRIES", "0", "--setenv", "CARGO_NET_RETRY", "0"),
)


class _Call(NamedTuple):
    """A command that is to be run."""

    words: tuple[str, ...]
    root: Path
    timeout_s: float
    stop: StopSignal | None
    variables: Mapping[str, str] = {}


def _warden(report: int, *flags: bool) -> tuple[str, ...]:
    numbers = (*map(int, flags), os.geteuid(), os.getegid())
    source = Path(warden.__file__).read_text("utf-8")
    python = str(Path(sys.executable).resolve())
    return (python, "-I", "-S", "-c", source, str(report), *map(str, numbers))


def _resolver(names: int) -> tuple[str, ...]:
    """Where the file leads into what is empty in the sandbox, loopback is the default."""
    is_file = _RESOLVER.is_file() and not _RESOLVER.is_symlink()
    return ("--ro-bind-data", str(names), str(_RESOLVER)) if is_file else ()


def _proxied() -> Iterator[str]:
    for name, value in proxy_variables(f"http://127.0.0.1:{warden.PORT}").items():
        yield from ("--setenv", name, value)


def _kill_contained(status: IO[bytes]) -> None:
    """Kill the sandbox's first process; bubblewrap itself ends when all others are gone."""
    status.seek(0)
    found = re.search(rb'"child-pid": *(\d+)', status.read())
    if found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(found[1]), signal.SIGKILL)
