"""What a track waits for: other tracks that are not done yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fanfold.cli.plans import known_tracks
from fanfold.errors import InvalidPlan, UserError
from fanfold.plan.tracks import TrackState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fanfold.bootstrap import Project
    from fanfold.plan.tracks import Track


def unmet_needs(track: Track, found: Sequence[Track]) -> tuple[str, ...]:
    """Ids of the tracks that `track` waits for. Raises `InvalidPlan` for one that is not there."""
    for name, file in track.unknown:
        raise InvalidPlan(file, 0, f"{track.id} depends on {name!r}, which is no track here")
    done = {other.id for other in found if other.archived or other.state is TrackState.DONE}
    return tuple(name for name in track.depends_on if name not in done)


def require_needs(project: Project, plan: str) -> None:
    """Raises `UserError` where the plan is a track's that waits for another, or `InvalidPlan`."""
    found = known_tracks(project)
    track = next((track for track in found if track.plan == plan), None)
    missing = unmet_needs(track, found) if track else ()
    if track and missing:
        raise UserError(needs_first(track.id, missing[0]))


def needs_first(track: str, need: str) -> str:
    """Why a track cannot run alone, and what to do."""
    return (
        f"track {track} depends on {need}, which is not done: add --track {need}, or run it first"
    )
