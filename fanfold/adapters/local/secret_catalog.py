"""The catalog of a kept library: the keys of some hundred vendors, with the entropy that each has.

It is loaded with the first text that is looked at. Compiling it takes seconds, once a machine: the
library keeps the result in the user's cache folder, where it has one.
"""

from __future__ import annotations

import re
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from fanfold.adapters.local.secret_rules import is_no_example, is_random

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD_IN_URL = "betterleaks.generic-credential-uri"  # noqa: S105
_OUTSIDE_NAMES = re.compile(r"[^a-z0-9]+")
# Rules want a quote or white space after a key: what else may follow one is taken for that as well.
_APART = str.maketrans(dict.fromkeys(".,:/()[]{}<>&|#?!@*", " "))
_lock = Lock()
_loaded: list[Any] = []


class Span(NamedTuple):
    """Where in a text a secret of a kind is."""

    start: int
    end: int
    kind: str


def known_spans(text: str) -> Iterator[Span]:
    """What the catalog finds, as places in `text`; a secret in Base64 is all that it is coded in.

    No comment in the text can ask to be passed over.
    """
    yield from _spans(text)
    apart = text.translate(_APART)
    if apart != text:
        yield from _spans(apart)


def _spans(text: str) -> Iterator[Span]:
    # A lone surrogate is a byte here, so that nothing looks like the mark of another encoding.
    data = text.encode("utf-8", "replace")
    for found in _scanner().scan(data):
        if found.visible and _is_secret(found.rule_id, found.secret):
            start, end = found.location["start_offset"], found.location["end_offset"]
            if len(data) != len(text):
                start, end = (len(data[:at].decode("utf-8", "replace")) for at in (start, end))
            yield Span(start, end, _kind(found.rule_id))


def _scanner() -> Any:
    """One for the process, as it may be asked by many threads."""
    with _lock:
        if not _loaded:
            from kingfisher_sdk import Scanner

            _loaded.append(Scanner())
        return _loaded[0]


def _is_secret(rule: str, value: str) -> bool:
    """Addresses in documents name passwords that are words."""
    return is_random(value) if rule == PASSWORD_IN_URL else is_no_example(value)


def _kind(rule: str) -> str:
    """`betterleaks.github-pat` and `veles.secrets/npm` as `github_pat` and `npm`."""
    name = rule.partition(".")[2] or rule
    return _OUTSIDE_NAMES.sub("_", name.removeprefix("secrets/").lower()).strip("_")
