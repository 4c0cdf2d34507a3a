"""Where a batch is played: one repository with several tracks, one manifest, and any stores."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from fanfold.run.batch_events import BatchRequested, TrackSpec, batch_stream
from fanfold.run.events import CheckSpec, RunLimits, RunOptions
from fanfold.run.state import Outcome
from fanfold.steps.batch_report import view_of
from fanfold.steps.batch_request import Batch
from fanfold.steps.journal import BatchJournal, Journal
from fanfold.steps.request import Request
from tests.workflow.aws.scenarios import DOLLAR, Scenario
from tests.workflow.aws.site import AUTHOR, Site, repository, staged, story_of

if TYPE_CHECKING:
    from pathlib import Path

    from fanfold.run.batch_state import BatchState
    from fanfold.run.events import EventData
    from tests.fakes.stores import Stores
    from tests.workflow.aws.batch_scenarios import BatchScenario

BATCH = "ba7c400000"
LIST = "conductor/tracks.md"
RACING = frozenset({"track_ended", "fold_ended", "track_started"})
"""What may come in another order where tracks go on side by side."""


@dataclass
class BatchSite:
    """A batch that nobody has asked for yet; `say` lets a person speak to it."""

    scenario: BatchScenario
    site: Site
    batch: Batch
    plans: dict[str, bytes]

    def journal(self) -> BatchJournal:
        journal = BatchJournal(self.site.wiring.events, BATCH)
        journal.refresh()
        return journal

    def run(self, run_id: str) -> Journal:
        journal = Journal(self.site.wiring.events, run_id)
        journal.refresh()
        return journal

    def say(self, *events: EventData) -> None:
        self.journal().append(*events, actor="person")

    @property
    def stop(self) -> Any:
        return self.site.stop


def run_of(track: str) -> str:
    """The run that is started for a track."""
    return hashlib.sha256(track.encode()).hexdigest()[:10]


def build(scenario: BatchScenario, root: Path, stores: Stores, engine: str) -> BatchSite:
    """Make the repository at `root`; nothing is submitted."""
    paths = {track: f"conductor/tracks/{track}/plan.md" for track in scenario.tracks}
    listed = "".join(f"- [ ] {track} - {track.title()}\n" for track in scenario.tracks)
    files = {LIST: f"# Tracks\n\n{listed}", "shared.txt": "nobody\n"}
    files |= {paths[track]: plan for track, plan in scenario.tracks.items()}
    commit, tree = repository(root, files)
    holder: list[BatchSite] = []

    class Stage:
        """The batch as its agents see it, once there is one."""

        def __getattr__(self, name: str) -> Any:
            return getattr(holder[0], name)

    script = scenario.agents(Stage())  # type: ignore[arg-type]
    one = Scenario("", lambda _: script, Outcome.COMPLETED, {}, slots=scenario.slots)
    site = staged(one, root, stores)
    requests = {
        track: _request(scenario, track, paths[track], commit, tree, engine)
        for track in scenario.tracks
    }
    asked = BatchRequested(
        batch_id=BATCH,
        base=commit,
        tracks=tuple(_spec(scenario, track, paths[track]) for track in scenario.tracks),
        cap=scenario.cap,
        slice=DOLLAR,
        gates=scenario.gates,
    )
    plans = {track: plan.encode() for track, plan in scenario.tracks.items()}
    holder.append(BatchSite(scenario, site, Batch(asked, tree, requests), plans))
    return holder[0]


def _spec(scenario: BatchScenario, track: str, plan: str) -> TrackSpec:
    need = scenario.takes.get(track, DOLLAR // 2)
    return TrackSpec(
        id=track,
        plan=plan,
        title=track.title(),
        run=run_of(track),
        need=need,
        most=2 * need,
        units=1,
        needs=tuple(scenario.needs.get(track, ())),
    )


def _request(
    scenario: BatchScenario, track: str, plan: str, commit: str, tree: str, engine: str
) -> Request:
    return Request(
        run_id=run_of(track),
        project="demo",
        plan_path=plan,
        plan_sha256=hashlib.sha256(scenario.tracks[track].encode()).hexdigest(),
        base=commit,
        base_tree=tree,
        branch="main",
        author=AUTHOR,
        limits=RunLimits(cap=scenario.cap, slice=DOLLAR, attempts=2, backoff_s=0.0),
        options=RunOptions(
            engine=engine, gates=scenario.gates, unit="task", sandbox=False, batch=BATCH
        ),
        checks=tuple(CheckSpec(command) for command in scenario.checks),
        models={"": "scripted"},
    )


class PlayedBatch(NamedTuple):
    """What a batch left: its last state, the view of it, and every stream as types and data."""

    state: BatchState
    view: dict[str, Any]
    story: dict[str, list[tuple[str, Any]]]


def played(site: BatchSite) -> PlayedBatch:
    """The streams come without what depends on place and time."""
    state, wiring = site.journal().state, site.site.wiring
    own = story_of(site.site, batch_stream(""))
    for events in own.values():
        for kind, data in events:
            if kind == "batch_resumed":
                data.pop("runs", None)  # in the cloud, what is answered goes on by itself
        if site.scenario.side_by_side:
            events.sort(key=_out_of_time)
    view = view_of(state, wiring.events, wiring.artifacts)
    return PlayedBatch(state, view, own | story_of(site.site, "run/"))


def _out_of_time(event: tuple[str, Any]) -> tuple[bool, str]:
    kind, data = event
    return kind in RACING, f"{kind} {data}" if kind in RACING else ""
