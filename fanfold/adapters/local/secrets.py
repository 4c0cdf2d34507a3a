"""Finds secrets in text, and takes them out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.adapters.local.secret_catalog import Span, known_spans
from fanfold.adapters.local.secret_rules import LONGEST_NAME, RULES, Rule
from fanfold.ports import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SHORTEST_KNOWN = 8


class Secrets:
    """The `SecretScanner` by the catalog of a library and rules of our own.

    Values that are `known` are secrets wherever they stand, by their names.
    """

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        given = (known or {}).items()
        self._known = {value: name for name, value in given if len(value) >= SHORTEST_KNOWN}

    def find(self, text: str) -> list[Finding]:
        """Each secret once, in order; lines count from 1."""
        found: list[Finding] = []
        line, counted = 1, 0
        for start, _, kind in self._spans(text):
            line += text.count("\n", counted, start)
            counted = start
            found.append(Finding(kind, line))
        return found

    def redact(self, text: str) -> str:
        """The text with «redacted:kind» for each secret, line for line."""
        parts: list[str] = []
        at = 0
        for start, end, kind in self._spans(text):
            parts += (text[at:start], f"«redacted:{kind}»", "\n" * text.count("\n", start, end))
            at = end
        return "".join((*parts, text[at:])) if parts else text

    def _spans(self, text: str) -> list[Span]:
        """Secrets in order; where some overlap, all of it by the name of the first."""
        kept: list[Span] = []
        found = [*self._given(text), *_matches(text), *known_spans(text)]
        for span in sorted(found, key=lambda span: (span.start, -span.end)):
            if not kept or span.start >= kept[-1].end:
                kept.append(span)
            elif span.end > kept[-1].end:
                kept[-1] = kept[-1]._replace(end=span.end)
        return kept

    def _given(self, text: str) -> Iterator[Span]:
        for value, name in self._known.items():
            at = text.find(value)
            while at >= 0:
                yield Span(at, at + len(value), name)
                at = text.find(value, at + len(value))


def _matches(text: str) -> Iterator[Span]:
    for rule in RULES:
        if not any(hint in text for hint in rule.hints):
            continue
        for match in rule.pattern.finditer(text):
            group = "secret" if "secret" in rule.pattern.groupindex else 0
            if _is_meant(rule, text, match.start()) and (
                rule.accepts is None or rule.accepts(match[group])
            ):
                yield Span(*match.span(group), rule.kind)


def _is_meant(rule: Rule, text: str, at: int) -> bool:
    before = max(0, at - LONGEST_NAME)
    return rule.name is None or rule.name.search(text, before, at) is not None
