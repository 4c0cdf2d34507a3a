"""Regular expressions by a model: one that backtracks for ever must not stop the harness."""

from __future__ import annotations

from time import monotonic
from typing import Any, cast

from fanfold.agent.tools.base import ToolFailure


class Pattern:
    """Searches for at most `seconds` in all; `re` could neither be stopped nor shared the GIL."""

    def __init__(self, text: str, seconds: float) -> None:
        import regex  # pyright: ignore[reportMissingTypeStubs]

        try:
            self._pattern = cast("Any", regex).compile(text)
        except regex.error as error:
            raise ToolFailure(f"not a regular expression: {error}") from error
        self._text, self._until = text, monotonic() + seconds

    def found_in(self, line: str) -> bool:
        """Raises `ToolFailure` when the time is over."""
        left = max(self._until - monotonic(), 1e-6)
        try:
            return self._pattern.search(line, timeout=left, concurrent=True) is not None
        except TimeoutError as error:
            raise ToolFailure(f"{self._text!r} takes too long; use a simpler pattern") from error
