"""Files that tend to change together, from the commits of a repository.

An association rule in the usual terms: support is the number of commits with both files,
confidence the share of one file's commits that have the other, and lift how much likelier that is
than the other file's share of all commits (Agrawal, Imieliński and Swami, 1993).
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

SUPPORT = 3
CONFIDENCE = 0.5
LIFT = 2.0
LARGEST = 30
PARTNERS = 5


class Partner(msgspec.Struct, frozen=True):
    """A file that changed in `together` of the `commits` of another one."""

    path: str
    together: int
    commits: int


def partners(
    commits: Iterable[Collection[str]], files: Collection[str]
) -> dict[str, tuple[Partner, ...]]:
    """For each of `files` those of them that will probably change with it, the surest first.

    `commits` are the paths that each one changed; sweeping ones, of more than 30, say nothing.
    """
    alone: Counter[str] = Counter()
    both: Counter[tuple[str, str]] = Counter()
    total = 0
    for changed in commits:
        known = sorted(set(changed) & set(files)) if len(changed) <= LARGEST else []
        total += bool(known)
        alone.update(known)
        both.update(combinations(known, 2))
    found: dict[str, list[Partner]] = {}
    for (one, other), together in both.items():
        for path, partner in ((one, other), (other, one)):
            if _associated(together, alone[path], alone[partner], total):
                found.setdefault(path, []).append(Partner(partner, together, alone[path]))
    return {path: tuple(sorted(each, key=_surest)[:PARTNERS]) for path, each in found.items()}


def _associated(together: int, path: int, partner: int, total: int) -> bool:
    confidence = together / path
    return together >= SUPPORT and confidence >= CONFIDENCE and confidence >= LIFT * partner / total


def _surest(partner: Partner) -> tuple[float, str]:
    return -partner.together / partner.commits, partner.path
