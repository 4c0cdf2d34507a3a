"""Commands that a model wrote, contained by bubblewrap; and a runner for who goes without."""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from functools import cached_property, partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from fanfold.adapters.local import attendant, lookups, room, seccomp, warden
from fanfold.adapters.local.audit import audited
from fanfold.adapters.local.bounded import run_bounded
from fanfold.adapters.local.cell import Cell, Cells, Order
from fanfold.adapters.local.disk_watch import DiskWatch
from fanfold.adapters.local.host_proxy import HostProxy, proxy_variables
from fanfold.adapters.local.marked import MARK, kill_marked
from fanfold.adapters.local.namespaces import namespace_mend
from fanfold.adapters.local.overlays import laid_over, lay_over
from fanfold.adapters.local.registries import registry_hosts, registry_variables
from fanfold.adapters.local.sandbox_mounts import clean_environment
from fanfold.adapters.local.sandbox_view import TMPFS_BYTES, empty_places, view
from fanfold.adapters.local.shell import LIMITS, PROCESSES, prepared, shell
from fanfold.adapters.local.standalone import program_file, python_words
from fanfold.errors import SandboxUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fanfold.ports import CommandResult, StopSignal

WORKSPACE = "/workspace"
IDLE_S = 300.0
_NAMESPACES = ("--unshare-all", "--cap-drop", "ALL", "--as-pid-1", "--new-session")
# The warden's alone, to make rooms and to hear look-ups; the command has none.
_CAPABILITIES = (
    *("CAP_DAC_OVERRIDE", "CAP_NET_ADMIN", "CAP_NET_BIND_SERVICE", "CAP_SETFCAP", "CAP_SETPCAP"),
    "CAP_SYS_ADMIN",
)
_OVERLAID = "/.fanfold/{}"
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
    `secrets` are variables that its commands find beside the usual ones.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        processes: int = PROCESSES,
        allow_hosts: Sequence[str] = (),
        spare_bytes: int | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        self._environ, self._processes = environ, processes
        self._allow_hosts, self._spare_bytes = tuple(allow_hosts), spare_bytes
        self._environment = {**clean_environment(environ), **(secrets or {})}
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
        environ = prepared(self._environment, Path(root), WORKSPACE)
        order = Order(("/bin/sh", "-c", command), environ, timeout_s, watch)
        if not names:
            order = order._replace(environ={**environ, **_UNREACHABLE})
            result, told = self._cells.carry_out(Path(root), order)
            return watch.judged(audited(result, timeout_s, told))
        allowed = registry_hosts(names, self._environ)
        environ |= {**_PROXIED, **registry_variables(names, self._environ)}
        with HostProxy(allowed) as proxy:
            order = order._replace(environ=environ, proxy=proxy.folder)
            result, told = self._cells.carry_out(Path(root), order)
            return watch.judged(audited(result, timeout_s, told + proxy.told, allowed))

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

    def can_overlay(self, folder: Path) -> bool:
        """Whether what `lay_over` records for a tree below `folder` is shown to commands."""
        if not self._cells.reused:
            return False
        with tempfile.TemporaryDirectory(dir=folder) as place:
            root, lower = Path(place, "tree"), Path(place, "lower")
            for made in (root, lower):
                made.mkdir()
            (lower / "file").write_text("lower")
            lay_over(root, {"folder": lower})
            try:
                trial = self.run("cat folder/file && rm folder/file", str(root), 10)
            except SandboxUnavailable:
                return False
            return trial.output == "lower" and (lower / "file").exists()

    @cached_property
    def _cells(self) -> Cells:
        """Where the warden may not make namespaces (AppArmor may object), a cell is one room."""
        if _works(Cells(lambda root: self._cell(root, rooms=True), reused=True)):
            return Cells(lambda root: self._cell(root, rooms=True), reused=True)
        return Cells(lambda root: self._cell(root, rooms=False), reused=False)

    def _cell(self, root: Path, *, rooms: bool) -> Cell:
        overlays = laid_over(root)
        told = {
            "rooms": rooms,
            "overlays": [(overlay.path, _OVERLAID.format(n)) for n, overlay in enumerate(overlays)],
            "empty": list(empty_places(self._environment).items()),
            "size": TMPFS_BYTES,
            "folder": WORKSPACE,
            "user": os.geteuid(),
            "group": os.getegid(),
            "idle_s": IDLE_S,
            "limits": {**LIMITS, "NPROC": self._processes},
        }
        return Cell(partial(self._start, root, rooms=rooms), told)

    def _start(
        self, root: Path, places: Sequence[int], log: IO[bytes], *, rooms: bool
    ) -> subprocess.Popen[bytes]:
        """Options are given through a file, as a command could read them in /proc otherwise."""
        control, status = places
        with (
            tempfile.TemporaryFile() as options,
            tempfile.TemporaryFile() as names,
            program_file(warden, seccomp, room, lookups, attendant) as program,
        ):
            names.write(_NAME_SERVER)
            names.seek(0)
            told = (
                *("--json-status-fd", str(status)),
                *self._view,
                *self._tree(root),
                *self._privileges(rooms=rooms),
                *(_resolver(names.fileno()) if rooms else ()),
                *("--remount-ro", "/", "--chdir", WORKSPACE),
            )
            options.write(b"".join(os.fsencode(option) + b"\0" for option in told))
            options.seek(0)
            passed = (options.fileno(), names.fileno(), control, status)
            return subprocess.Popen(  # noqa: S603
                [
                    *(self._program, "--args", str(options.fileno())),
                    *python_words(),
                    str(control),
                ],
                cwd="/",
                env=self._environment,
                stdin=program,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=passed,
            )

    def _tree(self, root: Path) -> Iterator[str]:
        yield from ("--bind", str(root), WORKSPACE)
        own_git = root / ".git"
        if own_git.is_dir():
            yield from ("--ro-bind", str(own_git), f"{WORKSPACE}/.git")
        for number, overlay in enumerate(laid_over(root)):
            place = _OVERLAID.format(number)
            yield from ("--ro-bind", overlay.lower, f"{place}/lower")
            yield from ("--bind", overlay.own, f"{place}/own")

    @cached_property
    def _view(self) -> list[str]:
        own = [Path(sys.base_prefix)]
        return [*_NAMESPACES, *view(self._environment, own, sized=self._version >= (0, 7))]

    def _privileges(self, *, rooms: bool) -> Iterator[str]:
        """For the warden to make rooms, where nothing can be made any more."""
        if rooms:
            yield from ("--uid", "0", "--gid", "0")
            for capability in _CAPABILITIES:
                yield from ("--cap-add", capability)
        elif self._version >= (0, 8):
            yield from ("--unshare-user", "--disable-userns")

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

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        processes: int = PROCESSES,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        self._environment = {**clean_environment(environ), **(secrets or {})}
        self._processes = processes

    def can_overlay(self, folder: Path) -> bool:  # noqa: ARG002
        return False

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
            env={**prepared(self._environment, Path(root), root), MARK: mark},
            sweep=lambda: kill_marked(mark),
            stop=stop,
        )
        return audited(result, timeout_s)


# Who cannot reach anything should say so at once.
_UNREACHABLE = {
    **{"PIP_RETRIES": "0", "UV_HTTP_RETRIES": "0"},
    **{"NPM_CONFIG_FETCH_RETRIES": "0", "CARGO_NET_RETRY": "0"},
}
_PROXIED = proxy_variables(f"http://127.0.0.1:{lookups.PORT}")


def _works(cells: Cells) -> bool:
    """Whether anything can be carried out in such cells."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            trial = cells.carry_out(Path(folder), Order(("/bin/true",), {}, 10))
        except SandboxUnavailable:
            return False
        return trial.result.exit_code == 0


def _resolver(names: int) -> tuple[str, ...]:
    """Where the file leads into what is empty in the sandbox, loopback is the default."""
    is_file = _RESOLVER.is_file() and not _RESOLVER.is_symlink()
    return ("--ro-bind-data", str(names), str(_RESOLVER)) if is_file else ()
