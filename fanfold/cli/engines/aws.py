"""An AWS account: runs are driven by the supervisor that is deployed there."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn, TypeVar

from msgspec.structs import replace

from fanfold.adapters.aws.artifact_store import S3ArtifactStore
from fanfold.adapters.aws.clients import Clients
from fanfold.adapters.aws.event_bus import EventBus
from fanfold.adapters.aws.event_store import DynamoEventStore
from fanfold.adapters.aws.executions import StateMachineExecutions
from fanfold.adapters.aws.failures import translated
from fanfold.adapters.aws.projections import Projections
from fanfold.adapters.aws.spokesman import Spokesman
from fanfold.adapters.aws.stack import read_outputs
from fanfold.adapters.aws.table import Table
from fanfold.adapters.git.fetch import fetch_result
from fanfold.adapters.git.snapshots import push_snapshot
from fanfold.adapters.local.registries import public_hosts
from fanfold.cli.drive import RunStopped
from fanfold.cli.engines import AWS
from fanfold.cli.engines.aws_batches import BatchesThere
from fanfold.cli.engines.terminable import terminable
from fanfold.cli.engines.whereabouts import remember
from fanfold.cli.follow import Follower, Pace
from fanfold.cli.output import tell
from fanfold.engine import Interrupted
from fanfold.errors import CloudError, CloudUnavailable, InvalidSettings, RunBusy, UserError
from fanfold.run.artifacts import run_file
from fanfold.run.events import CancelRequested, RunResumed
from fanfold.run.listing import INTERRUPTED, UNFINISHED, row_of
from fanfold.run.offer import (
    AGAIN,
    check_problem,
    image_problem,
    model_problem,
    out_of_reach,
    prepare_problem,
)
from fanfold.run.view import outcome_of, run_view
from fanfold.settings import deployment_of, offer_of, own_version
from fanfold.steps.hand_in import hand_in, was_handed_in
from fanfold.steps.intake import PLAN_READY, ready_detail
from fanfold.steps.journal import Journal
from fanfold.steps.request import load_request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fanfold.bootstrap import Project
    from fanfold.cli.engines.whereabouts import Place
    from fanfold.run.batch_state import BatchState
    from fanfold.run.listing import RunRow
    from fanfold.run.state import RunState
    from fanfold.settings import Deployment, Offer
    from fanfold.steps.answer import Change, Word
    from fanfold.steps.answer_batch import BatchWord
    from fanfold.steps.request import Request

S = TypeVar("S", "RunState", "BatchState")
ATTEMPTS = 3
QUIET_S = 10.0
SETTLE_S = 30.0
LARGEST_DETAIL = 200_000
"""Characters of an event's detail; an event with all about it may have 256 KiB."""
FOR_PEOPLE = ("gates", "result")


class Account:
    """`Engine` over a deployment; nothing is asked of AWS before a command needs it."""

    name = AWS

    def __init__(self, project: Project, place: Place) -> None:
        self._project, self.place = project, place
        self.clients = Clients(profile=place.profile, region=place.region, attempts=ATTEMPTS)

    @property
    def pace(self) -> Pace:
        cloud = self._project.settings.cloud
        return Pace(cloud.look_s, QUIET_S, cloud.patience_s)

    @cached_property
    def _outputs(self) -> dict[str, str]:
        return read_outputs(self.clients, f"{self.place.stack}-control")

    @cached_property
    def offer(self) -> Offer:
        """What can be had there. Raises as `deployment` does."""
        _ = self.deployment
        return offer_of(self._outputs)

    @property
    def batches(self) -> BatchesThere:
        return BatchesThere(self._project, self)

    @cached_property
    def deployment(self) -> Deployment:
        """Raises `InvalidSettings` where there is none of this version, or `CloudError`."""
        stack, outputs = self.place.stack, self._outputs
        if "DeploymentVersion" not in outputs:
            raise InvalidSettings(f"stack {stack}-control tells of no deployment: deploy it again")
        found = deployment_of(outputs)
        _require_same_version(found.version, stack)
        return found

    @property
    def artifacts(self) -> S3ArtifactStore:
        return self._artifacts

    @property
    def events(self) -> DynamoEventStore:
        return self._events

    @cached_property
    def _artifacts(self) -> S3ArtifactStore:
        bucket = self.deployment.artifact_bucket
        return S3ArtifactStore(self.clients.s3, bucket)

    @cached_property
    def _events(self) -> DynamoEventStore:
        artifacts = self._artifacts
        table = Table(self.clients.dynamodb, self.deployment.events_table)
        return DynamoEventStore(table, self.place.project, self._project.clock, artifacts)

    @cached_property
    def _executions(self) -> StateMachineExecutions:
        machine = self.deployment.state_machine
        return StateMachineExecutions(self.clients.state_machines, machine)

    @cached_property
    def _spokesman(self) -> Spokesman:
        function = self.deployment.answer_function
        return Spokesman(self.clients.functions, function, self._project.clock)

    @cached_property
    def user(self) -> str:
        """Who asks, as AWS knows them: the name of a session or of a user."""
        with translated("see who you are"):
            return self.clients.identity.get_caller_identity()["Arn"].rpartition("/")[2]

    def rows(self, names: Sequence[str] | None = None) -> list[RunRow]:
        """From the deployment's own list: no log is read but of what that is late with."""
        listed = {row.run: row for row in self._listed()}
        wanted = listed if names is None else names
        return [self._row(name, listed.get(name)) for name in wanted]

    def _listed(self) -> list[RunRow]:
        events = self.events
        table = Table(self.clients.dynamodb, self.deployment.projections_table)
        return Projections(table, self.place.project, events).runs()

    def _row(self, run_id: str, listed: RunRow | None) -> RunRow:
        if listed is not None:
            over = listed.standing in UNFINISHED and self._is_over(run_id, listed.generation)
            if not over:
                return listed
        state = self._state(run_id)
        row = row_of(run_id, state)
        if row.standing in UNFINISHED and not self._is_driven(state):
            return replace(row, standing=INTERRUPTED)
        return row

    def names(self) -> list[str]:
        return [row.run for row in self._listed()]

    def knows(self, run_id: str) -> bool:
        return was_handed_in(self.artifacts, run_id)

    def claimed(self, plan: str) -> AbstractContextManager[None]:  # noqa: ARG002
        """The supervisor sees to it that a plan is run once at a time."""
        return nullcontext()

    def examine(self, request: Request) -> None:
        if not request.options.sandbox:
            raise UserError("--no-sandbox is for this machine: in the cloud nothing runs without")
        problem = model_problem(self.offer, request.named_models)
        containers = self.offer.profile != "lite"
        if not problem and request.prepare and (containers or request.has_checks):
            hosts = request.prepare_network
            problem = prepare_problem(self.offer, hosts, containers=containers)
        problem = problem or image_problem(self.offer, request.image)
        problem = problem or check_problem(request.checks)
        if problem:
            raise UserError(problem)
        missing = out_of_reach(self.offer, public_hosts(request.named_hosts))
        if missing:
            hosts = ", ".join(missing)
            tell(f"no worker there reaches {hosts}: add what is needed to `egress` {AGAIN}")

    def submit(self, request: Request, plan: bytes) -> bool:
        return self._ask(request, lambda: hand_in(self.artifacts, request, plan))

    def announce(self, request: Request, plan: bytes) -> bool:
        """Ask for the run by the event that its plan is ready; False when it was asked for before.

        One that no event holds is asked for as `submit` does.
        """
        detail = ready_detail(request)
        if len(json.dumps(detail)) > LARGEST_DETAIL:
            return self.submit(request, plan)
        bus = EventBus(self.clients.events, self.deployment.event_bus)
        return self._ask(request, lambda: bus.put(PLAN_READY, detail))

    def _ask(self, request: Request, ask: Callable[[], None]) -> bool:
        run_id, state = request.run_id, self._state(request.run_id)
        remember(self._project, run_id, self.place)
        if state.requested_at is not None or was_handed_in(self.artifacts, run_id):
            tell(f"this was asked for before: following run {run_id} (--rerun asks for another)")
            if state.rejected:
                self._go_on(state, None)
            return False
        self.push(f"runs/{run_id}/base", request.base)
        ask()
        tell(f"run {run_id} is submitted to {self.place.stack}")
        return True

    def push(self, name: str, base: str) -> None:
        """Put all that `base` holds into the bucket, and keep it here under that name."""
        self._project.repository.keep(name, base)
        if push_snapshot(self._project.repository, base, self.artifacts):
            tell(f"pushed the files of {base[:7]} to {self.place.stack}")

    def drive(self, run_id: str) -> RunState:
        return self._followed(run_id, Follower(self, run_id, self._project.clock))

    def _followed(self, run_id: str, follower: Follower) -> RunState:
        with terminable():
            try:
                ended = follower.follow()
            except KeyboardInterrupt:
                raise Interrupted(f"run {run_id} goes on in the cloud; {_how(run_id)}") from None
            except CloudUnavailable as error:
                _stopped(follower.state, str(error), f"the run goes on; {_how(run_id)}")
        state = follower.state
        if state.rejected:
            raise UserError(f"run {run_id} was not started: {state.rejected}")
        if not ended:
            _stopped(state, "its execution ended early", f"`fanfold resume {run_id}` goes on")
        self._bring(state)
        return state

    def resume(self, run_id: str, cap: int | None = None) -> RunState:
        follower = Follower(self, run_id, self._project.clock)
        follower.catch_up()
        state = self._state(run_id)
        waits = outcome_of(state) is not None
        if (waits and cap is not None) or not self._is_driven(state):
            self._go_on(state, cap)
        elif cap not in (None, state.cap):
            raise RunBusy(f"run {run_id} is under way; its cap can be raised when it has stopped")
        return self._followed(run_id, follower)

    def tell_batch(self, batch_id: str, word: BatchWord) -> None:
        """Have a person's word recorded, and the batch go on."""
        self._spokesman.say_to_batch(batch_id, word, self.user)

    def detach(self, run_id: str) -> None:
        """Nothing to do: it needs no command to go on."""

    def is_driven(self, run_id: str) -> bool:
        return self._is_driven(self._state(run_id))

    def say(self, run_id: str, word: Word) -> RunState:
        driven = self._is_driven(before := self._state(run_id))
        self._spokesman.say(run_id, word, self.user)
        if isinstance(word, CancelRequested) and not driven:
            takeover = RunResumed(before.generation + 1, handover=True)
            self._spokesman.say(run_id, takeover, self.user)
        if isinstance(word, CancelRequested) and (not driven or outcome_of(before) is not None):
            return self.settled(lambda: self._state(run_id))
        return self._state(run_id)

    def change(self, run_id: str, change: Change, cap: int | None) -> None:
        """In one breath with the generation that carries it out."""
        then = RunResumed(self._state(run_id).generation + 1, cap)
        self._spokesman.say(run_id, change, self.user, then)

    def fetch(self, run_id: str) -> None:
        self._bring(self._state(run_id))

    def _bring(self, state: RunState) -> None:
        """The result into the repository, and beside it what a person reads of the run."""
        pushed = load_request(self.artifacts, state.run_id).pushed if state.options.batch else ""
        fetch_result(self._project.repository, self.artifacts, state, pushed)
        for folder in FOR_PEOPLE:
            for key in self.artifacts.list(run_file(state.run_id, folder)):
                self._project.artifacts.put(key, self.artifacts.get(key))

    def _go_on(self, state: RunState, cap: int | None) -> None:
        """A new generation; one that was refused for want of its base has it then."""
        if state.rejected and state.base in self._project.repository.objects:
            self.push(f"runs/{state.run_id}/base", state.base)
        self._spokesman.say(state.run_id, RunResumed(state.generation + 1, cap), self.user)

    def _state(self, run_id: str) -> RunState:
        return Journal(self.events, run_id).refresh()

    def _is_driven(self, state: RunState) -> bool:
        """One that has no execution yet gets one: from the queue, or once its request is heard."""
        if state.outcome is not None:
            return False
        return state.requested_at is None or not self._is_over(state.run_id, state.generation)

    def _is_over(self, run_id: str, generation: int) -> bool:
        """Whether that generation's execution has ended; one that is to come has not."""
        try:
            return self._executions.is_over(self._executions.name_of(run_id, generation))
        except CloudError as error:
            if error.code == "ExecutionDoesNotExist":
                return False
            raise

    def settled(self, look: Callable[[], S]) -> S:
        """The run or batch once it has ended; as it is when that takes long."""
        clock = self._project.clock
        latest = clock.monotonic() + SETTLE_S
        while (state := look()).outcome is None and clock.monotonic() < latest:
            clock.sleep(self.pace.look_s)
        return state


def _require_same_version(theirs: str, stack: str) -> None:
    own = own_version()
    if theirs.split(".")[:2] != own.split(".")[:2]:
        raise InvalidSettings(
            f"deployment {stack!r} has fanfold {theirs}, this is {own}: deploy this one "
            "(`make deploy`), or install that one"
        )


def _how(run_id: str) -> str:
    return f"`fanfold watch {run_id}` follows it, `fanfold cancel {run_id}` stops it"


def _stopped(state: RunState, problem: str, how: str) -> NoReturn:
    raise RunStopped(f"{problem}; {how}", {**run_view(state), "error": problem})
