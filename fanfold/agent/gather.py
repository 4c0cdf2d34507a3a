"""What a unit's attempt should know of its project, read from the base tree."""

from __future__ import annotations

from posixpath import dirname
from typing import TYPE_CHECKING

import msgspec

from fanfold.agent.workflow import translate
from fanfold.patch.globs import any_matches
from fanfold.plan.model import TaskState

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from fanfold.plan.model import Plan, Task

    Read = Callable[[str], bytes | None]

AGENT_FILES = ("AGENTS.md", "CLAUDE.md", "GEMINI.md")
PROJECT_FILES = ("product.md", "tech-stack.md", "workflow.md")
LARGEST = 100_000
_MARKS = {
    TaskState.OPEN: " ",
    TaskState.IN_PROGRESS: "~",
    TaskState.DONE: "x",
    TaskState.BLOCKED: "!",
    TaskState.SKIPPED: "-",
}
_GUIDES = {
    "cpp": "c cc cpp cxx h hh hpp",
    "csharp": "cs csx",
    "dart": "dart",
    "go": "go",
    "html-css": "css htm html less sass scss",
    "java": "java",
    "javascript": "cjs js jsx mjs",
    "kotlin": "kt kts",
    "php": "php",
    "python": "py pyi",
    "ruby": "rb",
    "rust": "rs",
    "shell": "bash sh",
    "swift": "swift",
    "typescript": "cts mts ts tsx",
}
_LANGUAGES = {ending: name for name, endings in _GUIDES.items() for ending in endings.split()}


class Gathered(msgspec.Struct, frozen=True):
    """Three fields of a `Context`."""

    instructions: tuple[tuple[str, str], ...]
    spec: str
    outline: tuple[str, ...]


def gather(
    read: Read,
    plan: Plan,
    tasks: Sequence[Task],
    *,
    deny: Sequence[str] = (),
    states: Mapping[str, str] | None = None,
) -> Gathered:
    """For the unit of `tasks`, which are the plan's. `read` gives a file of the base tree, or None.

    `deny` are globs that agents may not read; `states` are words for tasks that the run has moved
    on since the plan was read, such as `merged`.
    """

    def text(path: str) -> str:
        data = None if any_matches(deny, path) else read(path)
        return (data or b"")[:LARGEST].decode("utf-8", "replace").strip()

    touched = [path for task in tasks for path in (*(task.writes or ()), *task.mentions)]
    return Gathered(
        instructions=tuple(_instructions(text, plan.path, touched)),
        spec=text(_join(dirname(plan.path), "spec.md")),
        outline=tuple(_outline(plan, {task.id for task in tasks}, states or {})),
    )


def _instructions(
    text: Callable[[str], str], plan_path: str, touched: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Project files first, so that units share them at the head; equal texts once."""
    seen: set[str] = set()
    project = _project_folder(text, plan_path)
    names = [*AGENT_FILES, *(_join(project, name) for name in PROJECT_FILES)]
    names += [_join(project, f"code_styleguides/{guide}.md") for guide in _guides(touched)]
    names += [_join(folder, name) for folder in _folders(touched) for name in AGENT_FILES]
    for name in dict.fromkeys(names):
        content = text(name)
        if name.endswith("workflow.md"):
            content = translate(content)
        if content and content not in seen:
            seen.add(content)
            yield name, content


def _project_folder(text: Callable[[str], str], plan_path: str) -> str:
    """Where the project keeps its documents: the nearest folder above the plan, or `conductor`."""
    above = _ancestors(dirname(plan_path))
    known = (f for f in above if any(text(_join(f, name)) for name in PROJECT_FILES))
    return next(known, "conductor")


def _folders(touched: Sequence[str]) -> list[str]:
    """Folders that the touched paths lie in, outermost first, the root left out."""
    folders = {folder for path in touched for folder in _ancestors(path.split("*", 1)[0])}
    return sorted(folders, key=lambda folder: (folder.count("/"), folder))


def _ancestors(path: str) -> Iterator[str]:
    """The folders that `path` lies in, innermost first, the root left out."""
    folder: str = dirname(path)
    while folder:
        yield folder
        folder = dirname(folder)


def _guides(touched: Sequence[str]) -> list[str]:
    endings = {path.rsplit(".", 1)[-1].lower() for path in touched if "." in path}
    return ["general", *sorted({_LANGUAGES[e] for e in endings if e in _LANGUAGES})]


def _outline(plan: Plan, mine: Collection[str], states: Mapping[str, str]) -> Iterator[str]:
    phase = ""
    for task in plan.tasks:
        if task.phase != phase:
            phase = task.phase
            yield next((f"{p.name}:" for p in plan.phases if p.id == phase), f"{phase}:")
        state = " (this is yours)" if task.id in mine else ""
        if task.id in states and not state:
            state = f" ({states[task.id]})"
        yield f"  [{_MARKS[task.state]}] {task.title}{state}"


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
