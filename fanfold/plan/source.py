"""The checks that any plan's bytes must pass before they are read as text."""

from __future__ import annotations

from fanfold.errors import InvalidPlan


def require_text(data: bytes, path: str) -> None:
    """Raise InvalidPlan unless `data` is UTF-8 text that says something."""
    if (nul := data.find(b"\0")) >= 0:
        raise InvalidPlan(path, line_of(data, nul), "holds a NUL byte: not a text file (UTF-8)")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise InvalidPlan(path, line_of(data, error.start), problem) from error
    if not text.strip():
        raise InvalidPlan(path, 0, "is empty")


def line_of(data: bytes, offset: int) -> int:
    """The 1-based line of a byte."""
    before = data[:offset].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return before.count(b"\n") + 1
