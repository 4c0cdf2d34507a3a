"""The words around a title: `Phase 2b:`, `Task 1.2:`, `Sub-task:`; and sections' names."""

from __future__ import annotations

import re

import msgspec

from fanfold.plan.marks import checkpoint

_PHASE_WORD = (
    "phase|fase|sprint|wave|stage|milestone|iteration|étape|etape|etapa|фаза|этап"
    "|阶段|階段|フェーズ|단계"
)
_NUMBER = r"\d{1,4}(?:\.\d{1,4})?[a-z]?|[a-z]|[ivx]{1,5}"
_PHASE = re.compile(
    rf"(?:{_PHASE_WORD})[ \t]*(?:({_NUMBER})(?!\w))?[ \t]*([:：.\-–—)(|]|$|(?=[ \t]))",
    re.IGNORECASE,
)
_EASTERN_PHASE = re.compile(r"第[ \t]*(\d{1,4})[ \t]*(?:阶段|階段|フェーズ)[ \t]*[:：.\-–—]?")
_TASK_WORD = "task|tarea|tarefa|aufgabe|tâche|tache|attività|задача|任务|任務|タスク|작업"
_TASK = re.compile(
    rf"(?:{_TASK_WORD}) ?#?(T?\d{{1,4}}(?:\.\d{{1,4}}){{0,3}}[a-z]?)?(?!\w) ?([:：.)\-–—]?) ?",
    re.IGNORECASE,
)
_SUBTASK = re.compile(r"(?:sub-?[ \t]?task|subtarea)[ \t]*[\w.]{0,12}[ \t]*:", re.IGNORECASE)
_NUMBERED = re.compile(r"(\d{1,4}(?:\.\d{1,4}){1,3}[a-z]?)(?:[.:)][ \t]+|[ \t]+|$)[-–—:]?[ \t]*")
_T_NUMBERED = re.compile(r"(T\d{3,4}[a-z]?)(?=[ :.])[ :.]*")
_PARALLEL = re.compile(r"\[P\] ?")
_NUMBERED_ONCE = re.compile(r"(\d{1,4})[.:)][ \t]+")
_NOT_A_SLUG = re.compile(r"[^a-z0-9]+")
_SLUG_LENGTH = 24
_PHASE_LEVEL = 2
_ORNAMENT = re.compile(r"^[^\w\[(`'\"<]+")

_CONDITIONS = re.compile(
    r"""(?:final|phase|track)?\ ?(?:verification|completion|acceptance)
        (?:\ (?:checklist|criteria|steps|gate|and\ checkpoint))?
    | (?:success|exit|done)\ criteria | definition\ of\ done | done\ when | dod
    | quality\ (?:gates?|checklist) | (?:phase\ )?checkpoints? | phase\ gate
    | (?:final\ |pre-merge\ )?checklist | final\ checks | sign[ -]off
    | criterios\ de\ aceptación | verificación(?:\ final)? | definición\ de\ hecho
    | critérios\ de\ aceitação | verificação | abnahmekriterien | verifikation | überprüfung
    | critères\ d'acceptation | vérification | критерии\ при[её]мки | проверка
    | 验收标准 | 验证 | 完成标准 | 最终验证 | 検証 | 受け入れ基準 | 완료\ 기준 | 검증""",
    re.VERBOSE,
)
_WORK_SECTIONS = re.compile(r"tasks?|task list|steps|implementation|to ?do|work")


class PhaseLabel(msgspec.Struct, frozen=True):
    """What a phase's heading says: its number (empty for `Phase: …`) and its name."""

    number: str
    name: str


class TaskLabel(msgspec.Struct, frozen=True):
    """What stands before a task's title: its number, and whether the word `Task` is there."""

    number: str
    title: str
    explicit: bool
    parallel: bool = False


def phase_label(heading: str, level: int) -> PhaseLabel | None:
    """Read `Phase 2b: Name`; None for a heading that is no phase's.

    A document's title (level 1) is a phase only where its label is set off, `# Phase 1: Name`.
    """
    text = _ORNAMENT.sub("", plain(heading))
    match = _PHASE.match(text) or _EASTERN_PHASE.match(text)
    if match is None:
        return _numbered_section(text) if level == _PHASE_LEVEL else None
    number, delimiter = match[1] or "", match[2] if match.lastindex == 2 else ":"
    if not delimiter and (level == 1 or not number):
        return None
    if not number and delimiter not in (":", "："):
        return None
    rest = text[match.end() :]
    name = rest.rstrip(") \t") if delimiter == "(" else rest
    return PhaseLabel(number, name.strip(" \t-–—:：") or text)


def _numbered_section(text: str) -> PhaseLabel | None:
    """`1. Name` is a phase, unless the name says that conditions follow."""
    match = _NUMBERED_ONCE.match(text)
    if match is None or names_conditions(text):
        return None
    return PhaseLabel(match[1], text[match.end() :])


def task_label(text: str) -> TaskLabel:
    """Split `Task 1.2: text`, `1.2 text` or `Task: text` into number and title."""
    text = plain(text)
    match = _TASK.match(text)
    if match and (match[1] or match[2]):
        return _task_label(match[1] or "", text[match.end() :], explicit=True)
    match = _T_NUMBERED.match(text) or _NUMBERED.match(text) or _NUMBERED_ONCE.match(text)
    return _task_label(match[1], text[match.end() :]) if match else _task_label("", text)


def _task_label(number: str, rest: str, *, explicit: bool = False) -> TaskLabel:
    inner = _NUMBERED.match(rest) if explicit and not number else None
    if inner:
        number, rest = inner[1], rest[inner.end() :]
    rest = rest.lstrip(" -–—:：") if number or explicit else rest
    parallel = _PARALLEL.match(rest)
    return TaskLabel(number, rest[parallel.end() :] if parallel else rest, explicit, bool(parallel))


def is_subtask(text: str) -> bool:
    """Does the item call itself a sub-task?"""
    return _SUBTASK.match(plain(text)) is not None


def plain(text: str) -> str:
    """`text` without a checkpoint and without the emphasis it begins with, on single spaces."""
    if found := checkpoint(text):
        text = text[: found.start()] + text[found.end() :]
    text = " ".join(text.split())
    for mark in ("**", "__"):
        if text.startswith(mark) and (end := text.find(mark, 2)) > 0:
            text = text[2:end] + text[end + 2 :]
    return text.strip()


def section_name(heading: str) -> str:
    """A section's name for comparison: lower case, without emoji, number, colon or brackets."""
    text = plain(heading).casefold().split("(")[0].split("[")[0].split(":")[0]
    text = "".join(c if c.isalnum() or c in " '-" else " " for c in text)
    words = text.replace("&", "and").split()
    while words and words[0].isdigit():
        words = words[1:]
    if len(words) > 2 and words[0] == "phase" and len(words[1]) <= 2:
        words = words[2:]
    return " ".join(words)


def names_conditions(heading: str) -> bool:
    """Are the checkboxes below this heading conditions rather than work?"""
    return _CONDITIONS.fullmatch(section_name(heading)) is not None


def names_work(heading: str) -> bool:
    """Does this heading or bold line say that tasks follow?"""
    return _WORK_SECTIONS.fullmatch(section_name(heading)) is not None


def slug(name: str) -> str:
    """A short ASCII identifier for `name`; empty where it holds no Latin letter or digit."""
    short = _NOT_A_SLUG.sub("-", plain(name).casefold()).strip("-")
    if len(short) <= _SLUG_LENGTH:
        return short
    return short[: _SLUG_LENGTH + 1].rsplit("-", 1)[0][:_SLUG_LENGTH].strip("-")
