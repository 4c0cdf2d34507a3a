"""Results go to stdout, everything said to a person while working to stderr."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def say(text: str = "") -> None:
    """A line of a result, on stdout."""
    sys.stdout.write(text + "\n")


def tell(text: str) -> None:
    """A line for the person watching, on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def say_bytes(data: bytes) -> None:
    """A result that is not ours to change, on stdout, byte by byte."""
    sys.stdout.flush()
    raw = getattr(sys.stdout, "buffer", None)
    if raw is None:
        sys.stdout.write(data.decode("utf-8", "replace"))
    else:
        raw.write(data)


def failure(error: OSError) -> str:
    """What the system refused, with its place where that is known."""
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror or error}"


def counted(number: int, one: str, many: str) -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many}"


def say_json(value: Any) -> None:
    """One JSON value on stdout."""
    say(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def say_line(value: Any) -> None:
    """One JSON value on a line of its own."""
    say(msgspec.json.encode(value).decode())


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns padded to their widest cell; on a terminal the last one is cut to what fits."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head) - 1)]
    return "\n".join(
        _fitted("  ".join([*(c.ljust(w) for c, w in zip(line, widths, strict=False)), line[-1]]))
        for line in lines
    )


def _fitted(line: str) -> str:
    line = line.rstrip()
    if not sys.stdout.isatty():
        return line
    width = shutil.get_terminal_size().columns
    return line if len(line) <= width else line[: width - 1] + "…"
