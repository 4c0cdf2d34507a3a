"""A batch for people: `report.md` among its artifacts, and the view that commands print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanfold.errors import ArtifactMissing, InvalidPlan
from fanfold.plan import formats
from fanfold.run.artifacts import batch_file
from fanfold.run.batch_view import batch_view
from fanfold.run.events import TaskSpec
from fanfold.run.view import gate_line
from fanfold.steps.batch_request import load_batch
from fanfold.steps.journal import Journal
from fanfold.steps.request import load_plan

if TYPE_CHECKING:
    from fanfold.ports import ArtifactStore, EventStore
    from fanfold.run.batch_state import BatchState

REPORT = "report.md"


def write_report(state: BatchState, events: EventStore, artifacts: ArtifactStore) -> None:
    """Write down how the batch stands."""
    text = render(view_of(state, events, artifacts))
    artifacts.put(batch_file(state.batch_id, REPORT), text.encode())


def view_of(
    state: BatchState, events: EventStore, artifacts: ArtifactStore, *, interrupted: bool = False
) -> dict[str, Any]:
    """The object that `run --json` prints, from the logs of the batch's runs and its plans."""
    runs = {name: Journal(events, name).refresh() for name in state.runs()}
    started = {name: run for name, run in runs.items() if run.requested_at is not None}
    planned = {
        track.spec.id: _tasks(state, track.spec.id, artifacts)
        for track in state.tracks.values()
        if track.spec.run not in started
    }
    return batch_view(state, started, planned, interrupted=interrupted)


def _tasks(state: BatchState, track: str, artifacts: ArtifactStore) -> tuple[TaskSpec, ...]:
    """The tasks of a track that was not started; none where its plan was cleaned away."""
    try:
        request = load_batch(artifacts, state.batch_id).requests[track]
        plan = formats.parse(load_plan(artifacts, request), request.plan_path)
    except (ArtifactMissing, InvalidPlan):
        return ()
    return tuple(
        TaskSpec(t.id, t.title, t.phase, t.kind.value, t.state.value, t.line) for t in plan.tasks
    )


def render(view: dict[str, Any]) -> str:
    """The view as Markdown."""
    sections = [
        f"# Batch {view['batch']}: {view['outcome']}",
        _summary(view),
        _tracks(view),
        _listing(
            "Does not fit the cap",
            [
                f"{t['id']}: about ${t['need_usd']} needed"
                for t in view["tracks"]
                if t["reason"] == "budget" and not t["run"]
            ],
        ),
        _listing("Checks", [_check(c) for c in view["checks"]]),
        _listing("Gates", [f"run {g['run']}, {gate_line(g)}" for g in view["gates"]]),
        _listing("Next", [f"`{command}`" for command in view["next"]]),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _summary(view: dict[str, Any]) -> str:
    lines = [
        f"- Base: {view['base']}",
        f"- Result: {view['branch'] or 'none'}, tree {view['tree'] or 'none'}",
        f"- Verified: {'yes' if view['verified'] else 'NO'}",
        f"- Cost: ${view['cost_usd']} of ${view['cap_usd']}",
        f"- Time: {view['duration_s']} s",
    ]
    return "\n".join(lines)


def _tracks(view: dict[str, Any]) -> str:
    rows = [
        f"| {t['id']} | {t['run'] or ''} | {t['state']}{f' ({why})' if why else ''} | "
        f"{'yes' if t['folded'] else 'no'} | ${t['cost_usd']} of ${t['cap_usd']} |"
        for t in view["tracks"]
        for why in [t["reason"]]
    ]
    head = ["| track | run | state | in the result | cost |", "|---|---|---|---|---|"]
    return "## Tracks\n\n" + "\n".join(head + rows)


def _check(check: dict[str, Any]) -> str:
    return f"{'green' if check['ok'] else 'RED'}: `{check['command']}`"


def _listing(title: str, items: list[str]) -> str:
    return f"## {title}\n\n" + "\n".join(f"- {item}" for item in items) if items else ""
