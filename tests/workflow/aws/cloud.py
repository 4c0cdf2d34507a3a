"""The engine of the cloud: the real state machine and functions in an account in memory."""

from __future__ import annotations

import importlib
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, cast

import msgspec

from containers.worker.main import TERMINATED
from fanfold.adapters.git.snapshots import push_snapshot
from fanfold.adapters.local.sandbox import NoSandbox
from fanfold.agent.run_warmth import RunWarmth
from fanfold.bootstrap_aws import Claim, Cloud, aws
from fanfold.errors import AttemptOver, LeaseHeld
from fanfold.run.events import ApprovalGranted, RunResumed
from fanfold.run.state import Outcome
from fanfold.settings import Deployment, builder, environment
from fanfold.steps import hand_over
from fanfold.steps.invoke import invoke
from fanfold.steps.reap import reap_execution
from fanfold.steps.request import load_request
from fanfold.steps.rest import is_waiting
from functions.attempt import MARGIN_S
from tests.fakes import stores
from tests.fakes.memory import HurriedClock
from tests.kit.account import BUCKET, COORDINATION, EVENTS, PROJECTIONS, shared_clients
from tests.kit.step_functions import (
    Containers,
    Function,
    Functions,
    Invocation,
    Stopped,
    interpreted,
)
from tests.workflow.aws.checking import check_function
from tests.workflow.aws.machine import deployable
from tests.workflow.aws.site import RUN, BrokenStore, build, played

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from fanfold.adapters.aws.clients import Clients
    from fanfold.adapters.git.repository import GitRepository
    from fanfold.run.events import EventData
    from fanfold.settings import Builder
    from fanfold.steps.wiring import Wiring
    from tests.workflow.aws.scenarios import Scenario
    from tests.workflow.aws.site import Played, Site

STEPS = (
    "admit",
    "decide",
    "prepare",
    "merge",
    "verify",
    "ask",
    "write_back",
    "finish",
    "reap",
    "grant",
)
ROLES = ("docs", "researcher", "reviewer")
SESSION_ROLE = "arn:aws:iam::123456789012:role/attempt-session"
PATIENCE_S, PATIENCE_EACH_S = 120.0, 3.0
LOOK_S = 0.02
BUS = "fanfold"
LOOKS = 2
"""Looks at whether to stop before Spot takes a container away."""
OUTGROWN_S = 30.0
"""What is left to an attempt that outgrows its function."""
LONGEST_S = 900.0


@dataclass
class Deployed:
    """A deployed supervisor with one slot, and what can be asked of it."""

    site: Site
    cloud: Cloud
    containers: Containers
    state_machine: str
    of: Callable[[str], Cloud]

    def call(self, function: str, event: dict[str, Any]) -> Any:
        return _handler(function)(event, Invocation(function), self.of(function))

    def request(self) -> None:
        """The message that the manifest of the run makes."""
        detail = {"object": {"key": f"requests/{RUN}.json"}}
        body = {"detail-type": "Object Created", "detail": detail}
        record = {"messageId": "1", "body": msgspec.json.encode(body).decode()}
        answer = self.call("start", {"Records": [record]})
        assert answer == {"batchItemFailures": []}

    def say(self, word: EventData) -> None:
        said = "approve" if isinstance(word, ApprovalGranted) else "reject"
        self.call("answer", {"run_id": RUN, "word": said, **msgspec.to_builtins(word)})

    def settle(self, run_id: str = RUN) -> str:
        """Wait until the run has ended, or waits for a person."""
        units = len(self.site.scenario.units)
        latest = time.monotonic() + PATIENCE_S + PATIENCE_EACH_S * units
        supervision = self.cloud.supervision
        journal = supervision.journal(run_id)
        while time.monotonic() < latest:
            time.sleep(LOOK_S)
            state = journal.refresh()
            execution = supervision.executions.name_of(run_id, state.generation)
            if not self.has_begun(execution):
                continue
            if is_waiting(state, supervision):
                return "waiting"
            if supervision.executions.is_over(execution):
                reap_execution(run_id, execution, supervision)
                if journal.refresh().outcome is not None:
                    return "over"
        raise AssertionError(f"nothing came of {journal.refresh()}"[:2000])

    def stop(self) -> None:
        """As somebody may in the console, with the word of it that comes to the reaper."""
        supervision = self.cloud.supervision
        generation = supervision.journal(RUN).refresh().generation
        execution = supervision.executions.name_of(RUN, generation)
        shared_clients().state_machines.stop_execution(executionArn=execution)
        while not supervision.executions.is_over(execution):
            time.sleep(LOOK_S)
        reap_execution(RUN, execution, supervision)

    def has_begun(self, execution: str) -> bool:
        """A generation is in the log a moment before its execution is there."""
        client = shared_clients().state_machines
        found = client.list_executions(stateMachineArn=self.state_machine)["executions"]
        return execution in {each["executionArn"] for each in found}


@dataclass(frozen=True)
class Trouble:
    """`wrap` stands before every function; `clients` are those that a role works with."""

    wrap: Callable[[str, Function], Function] = lambda _, function: function
    clients: Callable[[str], Clients] = lambda _: shared_clients()


NONE = Trouble()


@contextmanager
def deployed(scenario: Scenario, folder: Path, trouble: Trouble = NONE) -> Generator[Deployed]:
    with stores.moto(folder) as opened:
        site = build(scenario, folder / "repository", opened, "aws")
        base = load_request(site.artifacts, RUN).base
        with supervised(site, base, folder, trouble) as deployment:
            yield deployment


@contextmanager
def supervised(site: Site, base: str, folder: Path, trouble: Trouble = NONE) -> Generator[Deployed]:
    """A supervisor over the stores of `site`, which are an account's; `base` is pushed there."""
    scenario = site.scenario
    push_snapshot(cast("GitRepository", site.wiring.repository), base, site.artifacts)
    client = shared_clients().state_machines
    shared_clients().events.create_event_bus(Name=BUS)
    functions: dict[str, Any] = {}

    called = Functions(functions, MARGIN_S + OUTGROWN_S if scenario.outgrow else LONGEST_S)
    container = trouble.clients("worker-implementer")
    containers = Containers(_Worker(site, folder, called, container))
    with interpreted(called, containers), _short_history(scenario.history):
        arn = client.create_state_machine(
            name="run", definition=deployable(), roleArn="arn:aws:iam::123456789012:role/run"
        )["stateMachineArn"]
        cloud = _wired(site, folder / "control", state_machine=arn)

        @cache
        def of(function: str) -> Cloud:
            clients = trouble.clients(function.replace("_", "-"))
            place = folder / function
            if not function.startswith("attempt-"):
                return _wired(site, place, state_machine=arn, clients=clients)
            role = function.removeprefix("attempt-")
            return _wired(site, place, role=role, shell=False, called=called, clients=clients)

        functions |= {name: _bound(name, of(name)) for name in STEPS}
        attempts = [f"attempt-{role}" for role in ROLES]
        functions |= {name: _bound("attempt", of(name)) for name in attempts}
        functions["check"] = check_function(folder)
        functions |= {name: trouble.wrap(name, each) for name, each in functions.items()}
        deployment = Deployed(site, cloud, containers, arn, of)
        site.stop = deployment.stop
        yield deployment


def _wired(
    site: Site,
    folder: Path,
    *,
    state_machine: str = "",
    role: str = "",
    shell: bool = True,
    called: Functions | None = None,
    clients: Clients | None = None,
) -> Cloud:
    """The program's own wiring, with the agents and the troubles of the scenario.

    A worker, which has a `role`, gets its rights from the function `grant` among those `called`.
    """
    cloud = aws(
        Deployment(
            events_table=EVENTS,
            projections_table=PROJECTIONS,
            coordination_table=COORDINATION,
            artifact_bucket=BUCKET,
            event_bus=BUS,
            state_machine=state_machine,
            grant_function="grant" if role else "",
            check_function="check",
            session_role=SESSION_ROLE,
            role=role,
            run_slots=site.scenario.slots,
        ),
        clients or shared_clients(),
        folder,
        sandbox=NoSandbox(environment()) if shell else None,
        clock=site.wiring.clock,
        functions=called,
    )
    return _staged(cloud, site)


def _staged(cloud: Cloud, site: Site) -> Cloud:
    def wiring(run_id: str) -> Wiring:
        ports = cloud.wiring(run_id)
        artifacts = BrokenStore(ports.artifacts, site.artifacts)
        models, prices = site.wiring.models, site.wiring.prices
        warmth = RunWarmth(artifacts, run_id, HurriedClock())
        return replace(ports, artifacts=artifacts, models=models, prices=prices, warmth=warmth)

    def claimed(claim: Claim) -> Cloud:
        return _staged(cloud.claimed(claim), site)

    return replace(cloud, wiring=wiring, claimed=claimed)


def play(scenario: Scenario, folder: Path) -> Played:
    with deployed(scenario, folder) as deployment:
        told = drive(deployment)
        meant = len(scenario.dead) + len(scenario.taken_away)
        assert len(deployment.containers.errors) == meant, deployment.containers.errors
        return told


def drive(deployment: Deployed) -> Played:
    """Request the run, answer for the person, and resume it where it broke."""
    words = list(deployment.site.scenario.words)
    deployment.request()
    while True:
        told = deployment.settle()
        state = deployment.site.journal().state
        if told == "waiting":
            deployment.say(words.pop(0))
        elif state.outcome is Outcome.FAILED and deployment.site.artifacts.broken:
            deployment.site.mend()
            deployment.site.say(RunResumed(state.generation + 1))
            deployment.request()
        else:
            break
    assert not words
    assert deployment.cloud.supervision.slots.taken() == []
    return played(deployment.site)


class _Worker:
    """What the container of a worker does; each has a disk of its own."""

    def __init__(self, site: Site, folder: Path, called: Functions, clients: Clients) -> None:
        self._site, self._folder, self._called = site, folder, called
        self._clients = clients

    def __call__(self, variables: dict[str, str]) -> None:
        if "FANFOLD_BUILDER_TREE" in variables:
            self._prepare(builder(variables))
            return
        attempt, key = variables["FANFOLD_WORKER_ATTEMPT"], variables["FANFOLD_WORKER_KEY"]
        run_id = variables["FANFOLD_WORKER_RUN_ID"]
        if attempt in self._site.scenario.dead:
            raise Stopped("CannotPullContainerError: not found", "TaskFailedToStart")
        if attempt in self._site.scenario.taken_away:
            self._invoke(run_id, attempt, key, "worker", stop_after=LOOKS)
            shared_clients().state_machines.send_task_failure(
                taskToken=variables["FANFOLD_WORKER_TASK_TOKEN"], error="Worker.SpotInterrupted"
            )
            raise Stopped("Your Spot Task was interrupted.", "SpotInterruption", TERMINATED)
        if self._site.scenario.twice:
            invoke_twice(lambda holder: self._invoke(run_id, attempt, key, holder))
        else:
            self._invoke(run_id, attempt, key, "worker")

    def _prepare(self, told: Builder) -> None:
        disk = Path(mkdtemp(dir=self._folder))
        cloud = _wired(self._site, disk, role="builder", called=self._called, clients=self._clients)
        cloud.preparing(told.run_id).make(told)

    def _invoke(
        self, run_id: str, attempt: str, key: str, holder: str, stop_after: int = 0
    ) -> None:
        """`stop_after` that many looks at whether to stop, it is time to."""
        looks = count(1)
        disk = Path(mkdtemp(dir=self._folder))
        worker = _wired(
            self._site, disk, role="implementer", called=self._called, clients=self._clients
        )
        cloud = worker.claimed(Claim(run_id, attempt, key, holder))
        journal = cloud.supervision.journal(run_id)
        invoke(
            journal,
            attempt,
            cloud.wiring(run_id),
            holder,
            lambda: bool(stop_after) and next(looks) > stop_after,
        )


def invoke_twice(invoke: Callable[[str], object]) -> None:
    """Both at once; one of them finds that the other has the attempt."""
    both = threading.Barrier(2)

    def one(holder: str) -> None:
        both.wait()
        with suppress(AttemptOver, LeaseHeld):
            invoke(holder)

    twin = threading.Thread(target=one, args=("twin",))
    twin.start()
    one("first")
    twin.join()


@contextmanager
def _short_history(length: int) -> Generator[None]:
    usual = hand_over.LONGEST_HISTORY
    hand_over.LONGEST_HISTORY = length or usual
    try:
        yield
    finally:
        hand_over.LONGEST_HISTORY = usual


def _handler(name: str) -> Any:
    return importlib.import_module(f"functions.{name}").handler


def _bound(name: str, cloud: Cloud) -> Function:
    handler = _handler(name)

    def function(event: Any, context: Invocation) -> Any:
        return handler(event, context, cloud)

    return function
