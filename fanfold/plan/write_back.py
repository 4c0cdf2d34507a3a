"""Puts marks, SHAs and checkpoints back into a plan without touching any other byte of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from fanfold.errors import InvalidPlan
from fanfold.plan import conductor
from fanfold.plan import marks as syntax
from fanfold.plan.formats import parse
from fanfold.plan.model import Mark, Phase, Plan, Task, TaskState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Edit = tuple[int, int, bytes]

_UPSTREAM_FORM = "{}"
_SHA_LENGTH = 7
_UNFINISHED = (TaskState.OPEN, TaskState.IN_PROGRESS)
_FINISHED = (TaskState.DONE, TaskState.SKIPPED)
_NO_CHECKPOINTS: dict[str, str] = {}


def splice(
    data: bytes,
    parsed: Plan,
    marks: Sequence[Mark],
    checkpoints: Mapping[str, str] = _NO_CHECKPOINTS,
) -> bytes:
    """`data` with the marks set, the SHAs' first 7 characters on their lines, and the checkpoints.

    A SHA takes the place of a finished task's old one; else it is appended, in the form most used
    in the file, and bare where there is none. A task that becomes done takes its unfinished
    sub-tasks along, as 96 % of the finished tasks in real plans do; blocked and skipped sub-tasks
    stay. Other formats than Conductor's know neither SHAs nor checkpoints and get none. Raises
    InvalidPlan where `data` is not what was parsed, or where anything but the intended nodes would
    read differently afterwards.
    """
    if data != parsed.data:
        raise InvalidPlan(parsed.path, 0, "was edited since it was parsed")
    result = draft(parsed, marks, checkpoints)
    confirm(parsed, result, marks, checkpoints)
    return result


def draft(
    parsed: Plan, marks: Sequence[Mark], checkpoints: Mapping[str, str] = _NO_CHECKPOINTS
) -> bytes:
    """What `splice` gives, not read again: one of many steps on the way to what is confirmed.

    Raises InvalidPlan for a task or phase that the plan does not hold.
    """
    marks, checkpoints = _known_to(parsed, marks, checkpoints)
    data = parsed.data
    form = _sha_form(parsed)
    tasks = {task.id: task for task in parsed.tasks}
    phases = {phase.id: phase for phase in parsed.phases}
    edits: list[Edit] = []
    for mark in marks:
        if mark.task not in tasks:
            raise InvalidPlan(parsed.path, 0, f"holds no task {mark.task!r}")
        edits += _task_edits(data, tasks[mark.task], mark, form)
    edits += _phase_marks(parsed, marks)
    for name, sha in checkpoints.items():
        if name not in phases:
            raise InvalidPlan(parsed.path, 0, f"holds no phase {name!r}")
        edits += _checkpoint_edits(data, phases[name], sha)
    return _apply(data, edits)


def confirm(
    parsed: Plan,
    result: bytes,
    marks: Sequence[Mark],
    checkpoints: Mapping[str, str] = _NO_CHECKPOINTS,
) -> None:
    """Raises InvalidPlan unless exactly the intended nodes of `result` read differently."""
    marks, checkpoints = _known_to(parsed, marks, checkpoints)
    _confirm(parsed, parse(result, parsed.path, format=parsed.format), marks, checkpoints)


def _known_to(
    parsed: Plan, marks: Sequence[Mark], checkpoints: Mapping[str, str]
) -> tuple[Sequence[Mark], Mapping[str, str]]:
    """As much of them as the format of the plan can tell."""
    if parsed.format == conductor.NAME:
        return marks, checkpoints
    return [Mark(mark.task, mark.state) for mark in marks], _NO_CHECKPOINTS


def _phase_marks(plan: Plan, marks: Sequence[Mark]) -> list[Edit]:
    """A phase with a checkbox of its own is done when all of its tasks are, else open."""
    after = {task.id: task.state for task in plan.tasks}
    after.update((mark.task, mark.state) for mark in marks)
    touched = {task.phase for task in plan.tasks if after[task.id] is not task.state}
    edits: list[Edit] = []
    for phase in plan.phases:
        if phase.box is None or phase.id not in touched:
            continue
        done = all(after[name] in _FINISHED for name in phase.tasks)
        was_done = phase.box.state in _FINISHED
        if done != was_done:
            mark = syntax.MARKS[TaskState.DONE if done else TaskState.OPEN].encode()
            edits.append((phase.box.mark.start, phase.box.mark.end, mark))
    return edits


def _sha_form(plan: Plan) -> str:
    lines = (plan.data[task.line_span.start : task.line_span.end] for task in plan.tasks)
    forms = Counter(syntax.sha_form(line.decode()) for line in lines)
    del forms[""]
    return forms.most_common(1)[0][0] if forms else _UPSTREAM_FORM


def _task_edits(data: bytes, task: Task, mark: Mark, form: str) -> list[Edit]:
    edits: list[Edit] = []
    target = syntax.MARKS[mark.state].encode()
    if task.mark and task.state is not mark.state:
        edits.append((task.mark.start, task.mark.end, target))
    if not task.mark and task.state is not mark.state:
        edits.append(_heading_mark(data, task, target))
    if mark.state is TaskState.DONE:
        done = [box.mark for box in task.boxes if box.state in _UNFINISHED]
        edits += [(span.start, span.end, target) for span in done]
    if mark.sha:
        edits.append(_sha_edit(data, task, mark.sha[:_SHA_LENGTH], form))
    return edits


def _heading_mark(data: bytes, task: Task, target: bytes) -> Edit:
    """The mark that a heading such as `### Task 1.1: …` gets when it has none yet."""
    line = data[task.line_span.start : task.line_span.end]
    hashes = len(line) - len(line.lstrip().lstrip(b"#"))
    after = task.line_span.start + hashes
    return after, after, b" [" + target + b"]"


def _sha_edit(data: bytes, task: Task, sha: str, form: str) -> Edit:
    """Replace or append the SHA behind the mark, so that this edit and the mark's never overlap."""
    start = task.mark.end if task.mark else task.line_span.end
    if not task.mark:
        line = data[task.line_span.start : task.line_span.end]
        start = task.line_span.start + len(line) - len(line.lstrip().lstrip(b"#"))
    end = task.line_span.end
    old = data[start:end].decode()
    end -= len(old[_comment_below(old, task) :].encode())
    old = data[start:end].decode()
    replace = task.sha is not None and task.state not in _UNFINISHED[:1]
    return start, end, syntax.write_sha(old, sha, form, replace=replace).encode()


def _comment_below(line: str, task: Task) -> int:
    """Where a comment begins that goes on below the line, and in which a SHA would be lost."""
    opening = line.find("<!--", line.rfind("-->") + 1)
    return opening if opening >= 0 and "<!--" not in task.title else len(line)


def _checkpoint_edits(data: bytes, phase: Phase, sha: str) -> list[Edit]:
    """`[checkpoint: sha7]` at the end of the phase's heading, or in the place of the old one."""
    if phase.heading is None:
        return []
    start, end = phase.heading.start, phase.heading.end
    line = data[start:end].decode()
    short = sha[:_SHA_LENGTH]
    if found := syntax.checkpoint(line):
        new = line[: found.start(1)] + short + line[found.end(1) :]
    else:
        body = line.rstrip()
        new = f"{body} [checkpoint: {short}]{line[len(body) :]}"
    return [(start, end, new.encode())]


def _apply(data: bytes, edits: list[Edit]) -> bytes:
    pieces: list[bytes] = []
    position = 0
    for start, end, new in sorted(set(edits)):
        pieces += [data[position:start], new]
        position = end
    return b"".join([*pieces, data[position:]])


def _confirm(
    before: Plan, after: Plan, marks: Sequence[Mark], checkpoints: Mapping[str, str]
) -> None:
    """Raise InvalidPlan unless exactly the intended tasks and phases read differently."""
    wanted = {mark.task: mark for mark in marks}
    then = [
        (task.id, task.key, task.title, *_expected(task, wanted.get(task.id)))
        for task in before.tasks
    ]
    now = [(task.id, task.key, task.title, task.state, task.sha) for task in after.tasks]
    for old, new, task in zip(then, now, before.tasks, strict=False):
        if old != new:
            raise InvalidPlan(
                before.path,
                task.line,
                f"cannot be marked safely: task {task.id} would read differently",
            )
    old_phases = [(phase.id, _checkpoint(phase, checkpoints)) for phase in before.phases]
    if len(then) != len(now) or old_phases != [
        (phase.id, phase.checkpoint) for phase in after.phases
    ]:
        raise InvalidPlan(
            before.path, 0, "cannot be marked safely: its phases would read differently"
        )


def _expected(task: Task, mark: Mark | None) -> tuple[TaskState, str | None]:
    if mark is None:
        return task.state, task.sha
    return mark.state, mark.sha[:_SHA_LENGTH] if mark.sha else task.sha


def _checkpoint(phase: Phase, checkpoints: Mapping[str, str]) -> str | None:
    if phase.id in checkpoints and phase.heading:
        return checkpoints[phase.id][:_SHA_LENGTH]
    return phase.checkpoint
