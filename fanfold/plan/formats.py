"""Chooses the reader of a plan by its path and, for any other `tasks.md`, by its content."""

from __future__ import annotations

import re
from functools import lru_cache
from posixpath import basename
from typing import TYPE_CHECKING

from fanfold.plan import conductor, kiro, openspec, speckit

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.plan.model import Plan

REMEMBERED = 16
READERS: dict[str, Callable[[bytes, str], Plan]] = {
    module.NAME: module.parse for module in (conductor, speckit, openspec, kiro)
}
_PATHS = {
    kiro.NAME: re.compile(r"(?:^|/)\.kiro/specs/"),
    openspec.NAME: re.compile(r"(?:^|/)openspec/changes/"),
}
_CONTENTS = {
    speckit.NAME: re.compile(rb"^[-*] \[.\] T\d{3}", re.MULTILINE),
    kiro.NAME: re.compile(rb"^- \[.\]\*? \d{1,3}\. ", re.MULTILINE),
    openspec.NAME: re.compile(rb"^## \d{1,3}[.)] ", re.MULTILINE),
}


def parse(data: bytes, path: str = "plan.md", *, format: str | None = None) -> Plan:
    """Read a plan of any known format. Raises InvalidPlan, with the line, and nothing else."""
    return _read(data, path, format or detect(data, path))


@lru_cache(maxsize=REMEMBERED)
def _read(data: bytes, path: str, format: str) -> Plan:
    """A run reads the plan it was given again and again."""
    return READERS[format](data, path)


def detect(data: bytes, path: str) -> str:
    """The name of the format: `conductor` unless path or content speaks for another."""
    if basename(path) == "plan.md":
        return conductor.NAME
    for name, pattern in _PATHS.items():
        if pattern.search(path):
            return name
    for name, content in _CONTENTS.items():
        if content.search(data):
            return name
    return conductor.NAME
