"""The bundle as the model reads it: system and first message, in three tiers of trust.

The system part is the same for all attempts of a role in a wave, so that they share its cache;
what differs between units stands in the first message. Together at most about 12,000 tokens.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.agent.history import FIVE_MINUTES, ONE_HOUR
from fanfold.agent.repository_map import RepositoryMap, unreadable
from fanfold.agent.roles import role_body
from fanfold.agent.sections import Section, fit
from fanfold.agent.tools.spill import PREFIX
from fanfold.agent.tools.submit import letter
from fanfold.patch.globs import any_matches
from fanfold.run.attempt import JUDGING, Purpose

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fanfold.agent.roles import Role
    from fanfold.run.attempt import Candidate, ConflictFile, Context, Predecessor

CHARACTERS = 36_000
SHARED = {Purpose.WORK: 20_000, Purpose.CANDIDATE: 20_000}
SHARED_OTHERWISE = 10_000
OUTLINE = 3_000
MOST_SPILLS = 30

_WORK = {
    Purpose.WORK: "Do the task below.",
    Purpose.CANDIDATE: "Do the task below.",
    Purpose.PICK: "Several patches were made for the task below. Pick the best one and submit its"
    " letter as choice. Change nothing.",
    Purpose.REVIEW: "A patch was made for the task below; your copy has it in it. Judge it against"
    " the task. Submit with choice accept where it may be merged, with choice send_back where it is"
    " wrong or lacks what the task asks for: then its author gets the summary, and mends it once."
    " Change nothing.",
    Purpose.RESOLVE: "The patch for the task below conflicts with what was merged before it."
    " Write each conflicted file so that the intent of both sides holds, then submit.",
    Purpose.REPAIR: "With the patch for the task below in it, the merged result fails its checks."
    " Find the cause and mend it, keeping what the task asks for.",
}
_STARTING = {
    Purpose.WORK: "An earlier attempt left its partial work in your copy: look at it, go on there.",
    Purpose.RESOLVE: "Your copy has the conflicted files as ours; the rest of the patch is in it.",
    Purpose.REPAIR: "Your copy has the patch in it already.",
    Purpose.REVIEW: "Your copy has the patch in it already.",
}
_RANKS = {
    "AGENTS.md": (1, 6_000),
    "CLAUDE.md": (1, 6_000),
    "GEMINI.md": (1, 6_000),
    "tech-stack.md": (3, 3_000),
    "workflow.md": (3, 5_000),
    "product.md": (5, 2_500),
}


class Prompt(msgspec.Struct, frozen=True):
    """`spills` are whole texts of what was too long, by the name they can be read under."""

    system: list[dict[str, Any]]
    task: str
    cuts: tuple[str, ...] = ()
    spills: dict[str, str] = {}


def render(
    context: Context, role: Role, paths: Sequence[str], read: Callable[[str], bytes] = unreadable
) -> Prompt:
    """The prompt of one attempt; `paths` are the repository's files, which `read` gives."""
    rules = f"{harness_rules()}\nYour role: {role.name}\n{role.prompt}{_bounds(role)}"
    visible = [path for path in paths if _visible(context, role, path)]
    whole = RepositoryMap(visible, read, "" if context.continues_tree else context.base_tree)
    shared, shared_cuts = fit(
        _shared_sections(context, whole), SHARED.get(context.purpose, SHARED_OTHERWISE)
    )
    outline, outline_cuts = fit([Section("the plan", "\n".join(context.outline), 0)], OUTLINE)
    budget = CHARACTERS - len(rules) - sum(map(len, [*shared, *outline]))
    spills = _spills(context)
    frame = _frame(context, spills)
    own, cuts = fit(_own_sections(context, whole), budget - len(frame))
    return Prompt(
        system=_system(rules, shared, outline, lasting=context.lasting),
        task="\n\n".join([frame, *own]),
        cuts=(*shared_cuts, *outline_cuts, *cuts),
        spills=spills,
    )


def _visible(context: Context, role: Role, path: str) -> bool:
    allowed = role.readable is None or any_matches(role.readable, path)
    return allowed and not any_matches(context.context_deny, path)


def _bounds(role: Role) -> str:
    bounds = (("read", role.readable), ("write", role.writes))
    lines = (
        f"\n- In this project your role may {what} only: {', '.join(globs)}"
        for what, globs in bounds
        if globs
    )
    return "".join(lines)


@cache
def harness_rules() -> str:
    """The first tier of trust."""
    return (files("fanfold.agent") / "harness.md").read_text("utf-8")


def _system(
    rules: str, shared: list[str], outline: list[str], *, lasting: bool
) -> list[dict[str, Any]]:
    """The outline stands behind the breakpoint: its states change from wave to wave.

    Every read prolongs the life of what is cached, so that five minutes do unless there is a pause.
    """
    common = [_text(rules), *([_text("\n\n".join(shared))] if shared else [])]
    common[-1]["cache_control"] = ONE_HOUR if lasting else FIVE_MINUTES
    return [*common, *map(_text, outline)]


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _shared_sections(context: Context, whole: RepositoryMap) -> list[Section]:
    return [
        *_own_role(context.role_file),
        *(_instructions(path, text) for path, text in context.instructions),
        Section("specification", context.spec, rank=2, most=6_000),
        Section("files of the repository", whole.shared, rank=3),
    ]


def _own_role(role_file: tuple[str, str] | None) -> list[Section]:
    """The second tier of trust: how the project wants the role to work, not what it may use."""
    if role_file is None:
        return []
    path, text = role_file
    return [Section(path, role_body(text), 1, 6_000, tag="project_instructions")]


def _instructions(path: str, text: str) -> Section:
    """What agents are told comes first, then how work is done, then what the product is."""
    name = path.rsplit("/", 1)[-1]
    rank, most = _RANKS.get(name, (4, 2_500))
    return Section(path, text, rank, most, tag="project_instructions")


def _own_sections(context: Context, whole: RepositoryMap) -> list[Section]:
    """What is known beside the task, then the task itself, which is kept before all else."""
    texts = "\n".join(f"{task.title}\n{task.text}" for task in context.tasks)
    near = whole.for_task(texts) if context.purpose in SHARED else ""
    return [
        Section("definitions near the task", near, rank=5),
        *(
            Section(f"merged before: {p.unit}", _predecessor(p), rank=4, most=1_500)
            for p in context.predecessors
        ),
        *(
            Section(f"conflict: {c.path}", _conflict(c), rank=2, most=9_000)
            for c in context.conflicts
        ),
        *(
            Section(f"candidate {letter(i)}", _candidate(c), rank=2, most=9_000)
            for i, c in enumerate(context.candidates)
        ),
        *(
            Section(f"red check: {check.command}", check.output, rank=2, most=4_000)
            for check in context.failed_checks
        ),
        Section("hint", context.hint, rank=1, most=4_000),
        *(
            Section(f"task {task.id}", task.text or task.title, rank=0, most=12_000, tag="task")
            for task in context.tasks
        ),
    ]


def _frame(context: Context, spills: Mapping[str, str]) -> str:
    """What the harness itself says of this attempt."""
    lines = [f"Purpose: {context.purpose.value}", _WORK[context.purpose]]
    if context.plan_title:
        lines.append(f"Plan: {context.plan_title}")
    if context.continues_tree:
        lines.append(_STARTING.get(context.purpose, _STARTING[Purpose.WORK]))
    lines += _several(context)
    lines += [f"Constraint: {constraint}" for constraint in context.constraints]
    if context.writes is not None:
        lines.append(f"You may write only: {', '.join(context.writes)}")
    if context.prepare:
        lines.append("Done in your copy already, and shared by all; run none of it again:")
        lines += [f"    {command}" for command in context.prepare]
    if context.shell and context.hosts:
        lines.append(f"Hosts that your commands reach: {', '.join(context.hosts)}")
    if context.checks:
        how = "Run them before you submit" if context.shell else "They run after you submit"
        lines.append(f"Checks that must exit 0. {how}:")
        lines += [f"    {check}" for check in context.checks]
    if spills:
        lines.append("What follows is there in full, for read and grep:")
        lines += [f"    {PREFIX}{name}" for name in list(spills)[:MOST_SPILLS]]
    return "\n".join(lines)


def _several(context: Context) -> list[str]:
    """How a unit of several tasks is worked on, so that each of them gets a commit of its own."""
    if len(context.tasks) < 2 or context.purpose in JUDGING:
        return []
    finished = [each.task for each in context.finished]
    still_open = [task.id for task in context.tasks if task.id not in finished]
    lines = [f"Finished already: {', '.join(finished)}"] if finished else []
    if len(still_open) > 1:
        lines.append(
            f"Tasks, in this order: {', '.join(still_open)}. When one is finished and others are"
            " left, submit with its id as task, and go on; a submit without task hands in all."
        )
    return lines


def _predecessor(predecessor: Predecessor) -> str:
    files_line = ", ".join(predecessor.files[:40])
    return f"{predecessor.title}\n{predecessor.summary}\nFiles: {files_line}"


def _conflict(conflict: ConflictFile) -> str:
    if conflict.rendering:
        return conflict.rendering
    sides = (("base", conflict.base), ("ours", conflict.ours), ("theirs", conflict.theirs))
    return "\n".join(
        f"--- {name}\n{'(no such file)' if text is None else text.rstrip()}" for name, text in sides
    )


def _candidate(candidate: Candidate) -> str:
    parts = [f"Summary: {candidate.summary}"]
    if candidate.checks:
        parts.append(f"Checks: {candidate.checks}")
    return "\n".join([*parts, candidate.patch])


def _spills(context: Context) -> dict[str, str]:
    spills = {f"candidate-{letter(i)}.diff": c.patch for i, c in enumerate(context.candidates)}
    for conflict in context.conflicts:
        for side in ("base", "ours", "theirs"):
            text = getattr(conflict, side)
            if text is not None:
                spills[f"conflict/{side}/{conflict.path}"] = text
    return spills
