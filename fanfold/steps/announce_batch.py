"""Announce a batch: tell the world how it stands once nothing of it can go on by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fanfold.run.artifacts import batch_file, result_file
from fanfold.run.batch_events import BatchEnded, batch_stream
from fanfold.run.batch_state import fold
from fanfold.run.batch_view import is_verified
from fanfold.run.events import recorded
from fanfold.run.money import dollars
from fanfold.steps.batch_report import REPORT

if TYPE_CHECKING:
    from fanfold.ports import EventStore, NewsDesk
    from fanfold.run.batch_state import BatchState, TrackState


def announce_batch(batch_id: str, events: EventStore, desk: NewsDesk) -> None:
    """Tell of every end of the batch that was not told yet, at least once, in their order.

    The same news has the same `id` however often it is told.
    """
    stream = batch_stream(batch_id)
    told, state = desk.told(stream), None
    for event in (r for e in events.read(stream) if (r := recorded(e)) is not None):
        state = fold([event], state)
        if isinstance(event.data, BatchEnded) and event.version > told:
            desk.tell(f"fanfold.batch.{event.data.outcome}", detail_of(state))
            desk.note(stream, event.version)


def detail_of(state: BatchState) -> dict[str, Any]:
    """JSON; money in dollars as text, artifacts by their keys in the bucket."""
    last = state.latest_fold
    ended = last.ended if last else None
    patch = {"patch": result_file(last.run, "result.patch")} if last and ended else {}
    return {
        "id": f"{state.batch_id}/{state.version}",
        "batch": state.batch_id,
        "outcome": state.outcome,
        "verified": is_verified(state),
        "base": state.base,
        "branch": ended.branch or None if ended else None,
        "tree": ended.tree or None if ended else None,
        "tracks": [_track(track) for track in state.tracks.values()],
        "cost_usd": dollars(state.spent),
        "cap_usd": dollars(state.cap),
        "artifacts": {"report": batch_file(state.batch_id, REPORT), **patch},
    }


def _track(track: TrackState) -> dict[str, Any]:
    return {
        "id": track.spec.id,
        "plan": track.spec.plan,
        "run": track.run if track.generation else None,
        "outcome": track.ended.outcome if track.ended else None,
    }
