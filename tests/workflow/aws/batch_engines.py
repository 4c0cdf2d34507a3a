"""The engines that a batch is played on, each with its own stores."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from fanfold.batch_engine import BatchEngine
from fanfold.run.events import ApprovalGranted, CancelRequested
from fanfold.run.state import Outcome
from fanfold.steps.batch import advance
from fanfold.steps.batch_request import submit_batch
from fanfold.steps.hand_in import hand_in_batch
from tests.fakes import stores
from tests.workflow.aws.batch_site import BATCH, build, played, run_of
from tests.workflow.aws.cloud import LOOK_S, NONE, PATIENCE_S, supervised

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from fanfold.run.batch_state import BatchState
    from tests.fakes.stores import Stores
    from tests.workflow.aws.batch_scenarios import BatchScenario
    from tests.workflow.aws.batch_site import BatchSite, PlayedBatch
    from tests.workflow.aws.cloud import Deployed, Trouble

OVER = "Step Functions Execution Status Change"


def memory(scenario: BatchScenario, folder: Path) -> PlayedBatch:
    with stores.memory(folder) as opened:
        return _drive(build(scenario, folder / "repository", opened, "local"))


def local(scenario: BatchScenario, folder: Path) -> PlayedBatch:
    with stores.local(folder) as opened:
        return _drive(build(scenario, folder / "repository", opened, "local"))


def cloud_stores(scenario: BatchScenario, folder: Path) -> PlayedBatch:
    with stores.moto(folder) as opened:
        return _drive(build(scenario, folder / "repository", opened, "local"))


def cloud(scenario: BatchScenario, folder: Path) -> PlayedBatch:
    with batch_deployed(scenario, folder) as place:
        told = place.drive()
        assert place.deployment.containers.errors == []
        return told


def _drive(site: BatchSite) -> PlayedBatch:
    """To the end, with a person's next word where it waits, and more money where that is due."""
    wiring = site.site.wiring
    submit_batch(wiring.events, wiring.artifacts, site.batch, site.plans)

    def cancel() -> None:
        site.say(CancelRequested("person"))
        advance(site.journal(), wiring.artifacts)

    site.site.stop = cancel
    state = BatchEngine(wiring, "engine").drive(BATCH)
    for track, word in site.scenario.words:
        assert state.outcome is Outcome.WAITING
        site.run(run_of(track)).append(word, actor="person")
        state = BatchEngine(wiring, "engine").resume(BATCH)
    if site.scenario.raised:
        assert state.outcome is Outcome.INCOMPLETE
        BatchEngine(wiring, "engine").resume(BATCH, site.scenario.raised)
    return played(site)


class Place:
    """A batch in an account; everything that would be delivered to its functions, is."""

    def __init__(self, site: BatchSite, deployment: Deployed) -> None:
        self.site, self.deployment = site, deployment

    def request(self) -> dict[str, Any]:
        """The message that the request of the batch makes."""
        detail = {"object": {"key": f"requests/batches/{BATCH}.json"}}
        body = {"detail-type": "Object Created", "detail": detail}
        record = {"messageId": "1", "body": msgspec.json.encode(body).decode()}
        return self.deployment.call("start", {"Records": [record]})

    def hand_in(self) -> None:
        hand_in_batch(self.site.site.artifacts, self.site.batch, self.site.plans)

    def say(self, track: str, word: Any) -> None:
        said = "approve" if isinstance(word, ApprovalGranted) else "reject"
        told = {"run_id": run_of(track), "word": said, **msgspec.to_builtins(word)}
        self.deployment.call("answer", told)

    def tell(self, word: str, **more: Any) -> None:
        """A person's word to the batch itself."""
        said = {"batch_id": BATCH, "word": word, "by": "person", **more}
        self.deployment.call("answer", said)

    def raise_cap(self) -> None:
        generation = self.site.journal().state.generation + 1
        self.tell("resume", generation=generation, cap=self.site.scenario.raised)

    def settle(self, copies: int = 1) -> BatchState:
        """Until nothing of the batch can go on by itself, with all that is delivered meanwhile."""
        latest = time.monotonic() + PATIENCE_S
        while time.monotonic() < latest:
            held = self.deliver(copies)
            state = self.site.journal().state
            if state.outcome is not None and not held:
                return state
            time.sleep(LOOK_S)
        raise AssertionError(f"nothing came of {self.site.journal().state}"[:3000])

    def deliver(self, copies: int = 1) -> bool:
        """The word of every execution that is over; gives whether there are others, or slots."""
        supervision = self.deployment.cloud.supervision
        taken = supervision.slots.taken()
        for slot in taken:
            if slot.execution and supervision.executions.is_over(slot.execution):
                for _ in range(copies):
                    self.deployment.call("reap", over(slot.execution))
        return bool(taken)

    def drive(self) -> PlayedBatch:
        scenario = self.site.scenario
        self.hand_in()
        assert self.request() == {"batchItemFailures": []}
        state = self.settle()
        for track, word in scenario.words:
            assert state.outcome is Outcome.WAITING
            self.say(track, word)
            state = self.settle()
        if scenario.raised:
            assert state.outcome is Outcome.INCOMPLETE
            self.raise_cap()
            self.settle()
        return played(self.site)


def over(execution: str) -> dict[str, Any]:
    """The word that an execution has ended."""
    name = execution.rpartition(":")[2]
    return {"detail-type": OVER, "detail": {"name": name, "executionArn": execution}}


@contextmanager
def batch_deployed(
    scenario: BatchScenario, folder: Path, trouble: Trouble = NONE
) -> Generator[Place]:
    with stores.moto(folder) as opened:
        site = _in_the_cloud(scenario, folder, opened)
        with supervised(site.site, site.batch.asked.base, folder, trouble) as deployment:
            place = Place(site, deployment)
            site.site.stop = lambda: place.tell("cancel")
            yield place


def _in_the_cloud(scenario: BatchScenario, folder: Path, opened: Stores) -> BatchSite:
    return build(scenario, folder / "repository", opened, "aws")


ENGINES: dict[str, Callable[[BatchScenario, Path], PlayedBatch]] = {
    "memory": memory,
    "local": local,
    "local engine, cloud stores": cloud_stores,
    "cloud": cloud,
}
