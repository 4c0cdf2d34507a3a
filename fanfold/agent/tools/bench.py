"""The workbench of one attempt: its files, the long outputs, and what the tools remember."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.agent.redaction import MARK
from fanfold.agent.tools.base import ToolFailure
from fanfold.agent.tools.spill import PREFIX, Spill
from fanfold.agent.tools.told import Told
from fanfold.errors import WorkspaceError
from fanfold.patch.globs import any_matches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fanfold.ports import CommandResult, StopSignal, Workspace
    from fanfold.run.attempt import CheckResult
    from fanfold.run.incidents import Incident

    Check = Callable[[], Sequence[CheckResult]]


class Submission(msgspec.Struct, frozen=True):
    """What the model said when it handed in."""

    status: str
    summary: str
    confidence: str = ""
    tests_run: tuple[str, ...] = ()
    choice: str | None = None


class Bench:
    """What tools work on. `denied` are globs that nobody may read, `only` those that are left.

    `tasks` are the unit's tasks that are still to do, `finished` the tree at the end of each.
    `read` gives files as they are, for changing them; what is told of them goes through `redact`.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        command_s: float,
        max_file_bytes: int,
        denied: Sequence[str] = (),
        only: Sequence[str] | None = None,
        choices: Sequence[str] = (),
        check: Check | None = None,
        tasks: Sequence[str] = (),
        redact: Callable[[str], str] = str,
        stop: StopSignal | None = None,
        hosts: Sequence[str] = (),
    ) -> None:
        self.workspace, self.command_s, self.max_file_bytes = workspace, command_s, max_file_bytes
        self.redact = redact
        self.spill = Spill(redact)
        self.known = Told()
        self.edit_failures: dict[str, int] = {}
        self.submission: Submission | None = None
        self.choices = tuple(choices)
        self.check = check
        self.check_results: tuple[CheckResult, ...] = ()
        self.red_rounds = 0
        self.submit_blocked = False
        self.tasks, self.finished = tuple(tasks), dict[str, str]()
        self._denied, self._only, self._stop = tuple(denied), only, stop
        self.hosts = tuple(hosts)
        self._incidents: list[Incident] = []

    @property
    def open_tasks(self) -> list[str]:
        return [task for task in self.tasks if task not in self.finished]

    def paths(self, folder: str = "") -> list[str]:
        """Sorted paths that may be read, at or below `folder`; spilled ones only when asked for.

        Raises `ToolFailure` where there is nothing.
        """
        if folder and f"{folder}/".startswith(PREFIX):
            every = self.spill.paths()
        else:
            every = [p for p in self.workspace.files() if self._may_read(p)]
        if not folder:
            return every
        below = [p for p in every if p == folder or p.startswith(f"{folder}/")]
        if not below:
            raise ToolFailure(f"there is no file at or below {folder!r}")
        return below

    def run(self, command: str, timeout_s: float) -> CommandResult:
        """A command in the workspace, ended when the attempt must end."""
        result = self.workspace.run(command, timeout_s, self._stop)
        self._incidents += result.incidents
        return result

    def verify(self) -> None:
        """Run the unit checks, where there are any."""
        if self.check is not None:
            self.check_results = tuple(self.check())
            self._incidents += (i for result in self.check_results for i in result.incidents)

    def take_incidents(self) -> tuple[Incident, ...]:
        """What commands were kept from since this was asked last."""
        taken, self._incidents = tuple(dict.fromkeys(self._incidents)), []
        return taken

    def _may_read(self, path: str) -> bool:
        allowed = self._only is None or any_matches(self._only, path)
        return allowed and not any_matches(self._denied, path)

    def read(self, path: str) -> str:
        """A text file, byte-exact under `write`; raises `ToolFailure` for binary files."""
        spilled = self.spill.get(path)
        if spilled is not None:
            return spilled
        data = self.workspace.read(path)
        if b"\0" in data[:8192]:
            raise ToolFailure(f"{path} is a binary file of {len(data)} bytes")
        return data.decode("utf-8", "surrogateescape")

    def write(self, path: str, text: str) -> None:
        """Raises `ToolFailure` when the file would be too large."""
        data = text.encode("utf-8", "surrogateescape")
        if len(data) > self.max_file_bytes:
            raise ToolFailure(
                f"{len(data)} bytes is above the limit of {self.max_file_bytes} for a file"
            )
        self.workspace.write(path, data)

    def exists(self, path: str) -> bool:
        try:
            self.workspace.read(path)
        except WorkspaceError:
            return False
        return True

    def told(self, path: str) -> str:
        """A text file as the model may see it, line for line; raises as `read` does."""
        return self.redact(shown(self.read(path)))


def shown(text: str) -> str:
    """`text` with bytes that are not UTF-8 made visible as U+FFFD, fit for JSON."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def checked(text: str, name: str) -> str:
    """`text` from the model; raises `ToolFailure` where it cannot be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ToolFailure(f"{name} holds a lone surrogate at position {error.start}") from error
    return text


def must_know(file: str, text: str, name: str) -> None:
    """Raises `ToolFailure` where `text` has the mark of a secret that `file` really holds."""
    if MARK in text and MARK not in file:
        raise ToolFailure(
            f"{name} holds {MARK}…, which stands for a secret that you cannot see: leave such lines"
            " as they are, and edit those around them"
        )
