"""Finds secrets in text, and takes them out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.adapters.local.secret_rules import RULES
from fanfold.ports import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

Span = tuple[int, int, str]


class Secrets:
    """The `SecretScanner` by fixed rules: the same text always gives the same findings."""

    def find(self, text: str) -> list[Finding]:
        """Each secret once, in order; lines count from 1."""
        found: list[Finding] = []
        line, counted = 1, 0
        for start, _, kind in _spans(text):
            line += text.count("\n", counted, start)
            counted = start
            found.append(Finding(kind, line))
        return found

    def redact(self, text: str) -> str:
        """The text with «redacted:kind» for each secret, line for line."""
        parts: list[str] = []
        at = 0
        for start, end, kind in _spans(text):
            parts += (text[at:start], f"«redacted:{kind}»", "\n" * text.count("\n", start, end))
            at = end
        return "".join((*parts, text[at:])) if parts else text


def _spans(text: str) -> list[Span]:
    """Secrets that do not overlap, in order; where two rules meet, the one that starts first."""
    kept: list[Span] = []
    for span in sorted(_matches(text), key=lambda span: (span[0], -span[1])):
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
    return kept


def _matches(text: str) -> Iterator[Span]:
    for rule in RULES:
        if not any(hint in text for hint in rule.hints):
            continue
        for match in rule.pattern.finditer(text):
            group = "secret" if "secret" in rule.pattern.groupindex else 0
            if rule.accepts is None or rule.accepts(match[group]):
                yield (*match.span(group), rule.kind)
