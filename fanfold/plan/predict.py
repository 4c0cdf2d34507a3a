"""What tasks will probably write: from the paths they name, the repository's files, its history."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from fanfold.plan.co_change import Partner
from fanfold.plan.control import is_any_control
from fanfold.plan.infer import NAMED
from fanfold.plan.model import Kind, Predicted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanfold.plan.model import Plan, Task

MOST_ALIKE = 3
SHORTEST_WORD = 5
MANIFESTS = re.compile(
    r"""pyproject\.toml|setup\.(?:py|cfg)|requirements\.txt|(?:uv|poetry|Cargo|composer|Gemfile)\.lock
    |Pipfile(?:\.lock)?|package(?:-lock)?\.json|pnpm-lock\.yaml|yarn\.lock|go\.(?:mod|sum)|Cargo\.toml
    |pom\.xml|build\.gradle(?:\.kts)?|Gemfile|composer\.json""",
    re.VERBOSE,
)
INDEXES = ("__init__.py", "index.ts", "index.tsx", "index.js", "mod.rs")
_VERB = re.compile(
    r"""build|check|clean|create|define|design|document|ensure|extend|handle|implement|improve|install
    |introduce|manage|migrate|prepare|provide|refactor|remove|rename|replace|review|setup|support
    |update|verify|write""",
    re.VERBOSE,
)
_DEPENDENCY = re.compile(
    r"""\b(?:dependenc(?:y|ies)|(?:un)?install|upgrade|bump|pin)\b
    |\badd\s(?:the\s)?`?[\w@/-]+`?\spackage""",
    re.IGNORECASE | re.VERBOSE,
)
_CODE = re.compile(r"`([^`\n]{1,200})`")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]+")
_TEST = re.compile(r"^tests?_|[._-]tests?$|[.-]spec$|(?<=[a-z])Tests?$")


class Knowledge(msgspec.Struct, frozen=True):
    """The files of the base, and for each the ones that tend to change with it."""

    files: tuple[str, ...] = ()
    partners: dict[str, tuple[Partner, ...]] = {}


def predict(plan: Plan, knowledge: Knowledge) -> dict[str, tuple[Predicted, ...]]:
    """By task of work; none of a task that declares its files, or tells nothing."""
    repository = _Repository(knowledge)
    found = {
        task.id: tuple(repository.predict(task, plan.text(task)).values())
        for task in plan.tasks
        if task.kind is Kind.WORK and task.writes is None
    }
    return {name: paths for name, paths in found.items() if paths}


class _Repository:
    """Files by their names and by their stems, tests under the stem of what they test."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._partners = knowledge.partners
        self._files = frozenset(f for f in knowledge.files if not is_any_control(f))
        self._named: dict[str, list[str]] = {}
        self._stems: dict[str, list[str]] = {}
        for file in sorted(self._files):
            self._named.setdefault(PurePosixPath(file).name, []).append(file)
            self._stems.setdefault(_stem(file), []).append(file)
        self._manifests = sorted(f for f in self._files if MANIFESTS.fullmatch(f))

    def predict(self, task: Task, text: str) -> dict[str, Predicted]:
        found: dict[str, Predicted] = {}
        for each in (*self._mentioned(task), *self._alike(task, text), *self._shared(text)):
            found.setdefault(each.path, each)
        for path in list(found):
            for each in self._with(path):
                found.setdefault(each.path, each)
        return found

    def _mentioned(self, task: Task) -> Iterator[Predicted]:
        """Named paths, where a bare file name stands for the files of that name."""
        for path in task.mentions:
            here = self._named.get(path, []) if "/" not in path else []
            if path in self._files or not 0 < len(here) <= MOST_ALIKE:
                yield Predicted(path, NAMED)
            else:
                yield from (Predicted(each, f"named as {path}") for each in here)

    def _alike(self, task: Task, text: str) -> Iterator[Predicted]:
        """Files whose name is a word of the title, two in a row, or an identifier in code."""
        for word in dict.fromkeys((*_identifiers(text), *_phrases(task.title))):
            files = self._stems.get(word, [])
            if len(files) <= MOST_ALIKE:
                yield from (Predicted(file, f"named like “{word}” in the task") for file in files)

    def _shared(self, text: str) -> Iterator[Predicted]:
        if _DEPENDENCY.search(text):
            yield from (Predicted(file, "speaks of dependencies") for file in self._manifests)

    def _with(self, path: str) -> Iterator[Predicted]:
        for each in self._partners.get(path, ()):
            why = f"changed with {path} in {each.together} of {each.commits} commits"
            yield Predicted(each.path, why)
        if path not in self._files:
            folder = PurePosixPath(path).parent
            for name in INDEXES:
                if str(folder / name) in self._files:
                    yield Predicted(str(folder / name), f"lists what is beside {path}")


def _stem(file: str) -> str:
    name = PurePosixPath(file).name
    stem = name[: name.rfind(".")] if "." in name[1:] else name
    return _plain(_TEST.sub("", stem))


def _plain(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.lower())


def _identifiers(text: str) -> Iterator[str]:
    for code in _CODE.findall(text):
        for word in _WORD.findall(code):
            if len(word) >= SHORTEST_WORD:
                yield _plain(word)


def _phrases(title: str) -> Iterator[str]:
    words = [_plain(word) for word in _WORD.findall(_CODE.sub(" ", title))]
    yield from (word for word in words if len(word) >= SHORTEST_WORD and not _VERB.fullmatch(word))
    yield from (first + second for first, second in pairwise(words))
