"""The entry point: finds the command, runs it, and turns errors into one line and an exit code.

Only the chosen command's module is imported, so that help and completion start at once.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COMMANDS = {
    "demo": "see a whole run now, with no account, key or question",
    "init": "propose fanfold.toml and set up .ai-workspace/",
    "doctor": "what is missing here, and the command that mends it",
    "plan": "tasks, units, waves, gates and what they would cost",
    "estimate": "attempts, time, tokens and dollars, before anything is spent",
    "ready": "mark a track approved; in the cloud, have it run",
    "run": "run a plan: the main job",
    "resume": "go on after a crash, a gate or a raised budget",
    "cancel": "stop a run",
    "retry": "try a task again, from its last patch",
    "resolve": "settle a conflict by hand",
    "status": "list runs, or show one",
    "watch": "follow a run live",
    "events": "the log of a run as JSON lines",
    "show": "patch, report, transcript and cost of a run or a task",
    "approve": "approve a gate or a held patch",
    "reject": "reject a gate or a held patch, with the reason",
    "apply": "bring a run's result into your branch",
    "merge": "fold patches made by anyone into one tree",
    "cost": "where the money went",
    "clean": "remove finished runs' artifacts, keeping logs",
    "completion": "print a completion script for your shell",
}
EXAMPLES = """\
examples:
  fanfold demo                          see a whole run, free
  fanfold plan                          what a run of the open track would do
  fanfold run --budget 5 --check "make test"
  fanfold apply                         bring the latest result into your branch

RUN is a run's name, a unique prefix of it, or nothing for the latest run.
`fanfold COMMAND --help` shows a command's options with examples.
"""


OF_AWS = ("boto3", "botocore")
"""What an installation without the extra `aws` has not."""

INTERRUPTED = 130


class Command(Protocol):
    """What a command's module offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...
    def run(self, args: argparse.Namespace) -> int: ...


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see `{self.prog} --help`)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` and give its exit code."""
    _open_standard_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _command_line(words)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence_stdout()
        return 0
    except SystemExit as stop:
        return _ended_by(stop)
    return code


def _ended_by(stop: SystemExit) -> int:
    """The exit code of a parser that printed its help or an error."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _silence_stdout()
    return stop.code if isinstance(stop.code, int) else 0


def _command_line(words: list[str]) -> int:
    top = top_parser()
    known, rest = top.parse_known_args(words[: _end_of_globals(words)])
    words = rest + words[_end_of_globals(words) :]
    if known.version:
        return _print_version()
    if words[:1] == ["help"]:
        known.help, words = True, [words[1], "--help"] if words[1:] else []
    if not words:
        top.print_help(sys.stdout if known.help else sys.stderr)
        return 0 if known.help else 2
    if words[0] not in COMMANDS:
        top.error(f"{words[0]!r} is not a command{_nearest(words[0])}")
    return _run_command(words[0], words[1:], known.directory)


def _open_standard_streams() -> None:
    """Whoever closed one of them must not find a file or pipe of ours under its number."""
    import os

    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def top_parser() -> Parser:
    """The parser of what comes before the command."""
    width = max(map(len, COMMANDS))
    listing = "\n".join(f"  {name:<{width}}  {text}" for name, text in COMMANDS.items())
    parser = Parser(
        prog="fanfold",
        usage="fanfold [-C DIR] COMMAND [ARGUMENT…]",
        description="Run a reviewed plan as a fleet of coding subagents, and get one tested,\n"
        "merged result at a known price.",
        epilog=f"commands:\n{listing}\n\n{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
        allow_abbrev=False,
    )
    parser.add_argument("-C", dest="directory", metavar="DIR", help="run as if started in DIR")
    parser.add_argument("-h", "--help", action="store_true", help="show this help")
    parser.add_argument("--version", action="store_true", help="show the version")
    return parser


def command_parser(name: str) -> Parser:
    """The parser of one command; imports its module."""
    module = _module(name)
    parser = Parser(
        prog=f"fanfold {name}",
        description=COMMANDS[name][0].upper() + COMMANDS[name][1:] + ".",
        epilog=getattr(module, "EXAMPLES", None),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_command_arguments(name, parser)
    return parser


def add_command_arguments(name: str, parser: argparse.ArgumentParser) -> None:
    """What the command takes, and the options that every command takes."""
    parser.add_argument(
        "-C",
        dest="directory",
        metavar="DIR",
        default=argparse.SUPPRESS,
        help="run as if started in DIR",
    )
    _module(name).add_arguments(parser)


def _module(name: str) -> Command:
    return cast("Command", import_module(f"fanfold.cli.{name}"))


def _print_version() -> int:
    from importlib.metadata import version

    sys.stdout.write(f"fanfold {version('fanfold')}\n")
    return 0


def _end_of_globals(words: list[str]) -> int:
    at = 0
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] == "-C" else 1
    return at


def _nearest(word: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, COMMANDS, 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _run_command(name: str, words: list[str], directory: str | None) -> int:
    args = command_parser(name).parse_args(words)
    if not hasattr(args, "directory"):
        args.directory = directory
    return guarded(lambda: _carried_out(name, args), as_json=getattr(args, "json", False))


def _carried_out(name: str, args: argparse.Namespace) -> int:
    """Raises `UserError` where the installation lacks an extra, and what the command raises."""
    from fanfold.errors import UserError

    try:
        return _module(name).run(args)
    except ModuleNotFoundError as error:
        if error.name not in OF_AWS:
            raise
        raise UserError("this needs the AWS packages: install fanfold[aws]") from None


def guarded(action: Callable[[], int], *, as_json: bool = False) -> int:
    """Run `action`; an error it raises on purpose becomes one line on stderr and its exit code.

    With `as_json`, what failed outside is a JSON value on stdout too.
    """
    from fanfold.errors import FanfoldError

    view: object = None
    try:
        code = action()
        sys.stdout.flush()
        return code
    except FanfoldError as error:
        problem, code = str(error), error.exit_code
        view = getattr(error, "view", None)
    except KeyboardInterrupt:
        problem, code = "interrupted", INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return 0
    except OSError as error:
        from fanfold.cli.output import failure

        problem, code = failure(error), FanfoldError.exit_code
    sys.stderr.write(f"fanfold: {_one_line(problem)}\n")
    if as_json and code == FanfoldError.exit_code:
        from fanfold.cli.output import say_json

        say_json(view or {"schema": "fanfold.error/1", "error": _one_line(problem)})
    if code == INTERRUPTED:
        _end_threads(code)
    return code


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _end_threads(code: int) -> None:
    """Python would wait for attempts that a second Ctrl-C gave up."""
    import os
    import threading

    if any(t.is_alive() and not t.daemon for t in threading.enumerate()[1:]):
        sys.stdout.flush()
        os._exit(code)


def _silence_stdout() -> None:
    """The reader of our output is gone; Python would complain again at exit."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
