"""What spec-kit's dependency lists say of user stories, as needs of the phases that hold them.

The lists stand at the end of a `tasks.md`, a line a story: `- **User Story 2 (P2)**: Can start
after Foundational (Phase 2) - Independent of US1`. What comes behind the dash is a remark.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from fanfold.plan.model import Phase, Plan

_LINE = re.compile(r"\s{0,3}[-*]\s+\*\*User Story (\d{1,3})\b[^*\n]{0,60}\*\*\s*:\s*(.{1,400})")
_STATES = re.compile(r"(?:depends on|can start after|requires|needs)\b(.*)", re.IGNORECASE)
_REMARK = re.compile(r"\s[-–—]\s")
_STORY = re.compile(r"\b(?:US|User Stor(?:y|ies) )(\d{1,3})\b", re.IGNORECASE)
_PHASE = re.compile(r"\bPhase (\w{1,8})\b")
_BASE = re.compile(r"\b(Setup|Foundational|Foundation)\b")


def with_needs(plan: Plan) -> Plan:
    """The plan with the needs that it states for its stories; without such a line, a story follows
    what stands before it, as every phase does.
    """
    phases = list(plan.phases)
    stories = {m[1]: p.id for p in phases if (m := _STORY.search(p.name))}
    stated: dict[str, list[str]] = {}
    for line in plan.data.decode("utf-8", "replace").splitlines():
        match = _LINE.match(line)
        if match and match[1] in stories:
            story = stories[match[1]]
            stated.setdefault(story, []).extend(_needs(match[2], story, phases, stories))
    return msgspec.structs.replace(
        plan,
        phases=tuple(
            msgspec.structs.replace(
                phase, needs=tuple(dict.fromkeys(stated[phase.id])), chained=False
            )
            if stated.get(phase.id) and phase.chained
            else phase
            for phase in phases
        ),
    )


def _needs(text: str, story: str, phases: list[Phase], stories: dict[str, str]) -> list[str]:
    """The phases that a line names, as far as they stand before the story."""
    statement = _STATES.match(_REMARK.split(text)[0])
    if statement is None:
        return []
    said = statement[1]
    named = {stories[number] for number in _STORY.findall(said) if number in stories}
    named |= set(_PHASE.findall(said))
    words = [word.casefold()[:6] for word in _BASE.findall(said)]
    earlier = phases[: next(i for i, phase in enumerate(phases) if phase.id == story)]
    return [
        phase.id
        for phase in earlier
        if phase.id in named or phase.name.casefold().startswith(tuple(words))
    ]
