"""What was said, line by line, with secrets taken out before anything is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanfold.agent.strings import encodable, map_strings

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.ports import SecretScanner

    Line = dict[str, Any]


class Transcript:
    """Hands redacted lines to `sink`: `{"kind": …, …}` in the order things happened."""

    def __init__(self, sink: Callable[[Line], None], secrets: SecretScanner) -> None:
        self._sink, self._secrets = sink, secrets

    def line(self, kind: str, **fields: Any) -> None:
        self._sink({"kind": kind, **map_strings(fields, self._redacted)})

    def _redacted(self, text: str) -> str:
        return self._secrets.redact(encodable(text))
