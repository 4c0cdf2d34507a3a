"""An account on the loopback with a supervisor in it, for the command line to work against.

The functions and containers are this process's own; the command line reaches everything over HTTP.
"""

from __future__ import annotations

import importlib
import json
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import msgspec
from moto.server import ThreadedMotoServer

from fanfold.adapters.aws.clients import Clients
from fanfold.adapters.local.sandbox import NoSandbox
from fanfold.bootstrap import models_of, prices_of
from fanfold.bootstrap_aws import Claim, aws
from fanfold.errors import ArtifactMissing
from fanfold.run.artifacts import BATCH_REQUESTS, REQUESTS
from fanfold.run.events import run_stream
from fanfold.settings import (
    Deployment,
    Offer,
    credentials,
    environment,
    from_environment,
    own_version,
)
from fanfold.steps.intake import PLAN_READY, WRITTEN, accept
from fanfold.steps.invoke import invoke
from fanfold.steps.journal import Superseded
from fanfold.steps.reap import reap_execution
from tests.kit.account import BUCKET, COORDINATION, EVENTS, PROJECTIONS, REGION, account
from tests.kit.lambda_functions import answering
from tests.kit.step_functions import Containers, Function, Functions, Invocation, interpreted
from tests.workflow.aws.machine import deployable

if TYPE_CHECKING:
    from collections.abc import Generator

    import pytest

    from fanfold.bootstrap_aws import Cloud
    from fanfold.steps.wiring import Wiring

STACK = "acme-prod"
STEPS = ("admit", "answer", "decide", "merge", "verify", "ask", "write_back", "finish", "reap")
ROLES = ("docs", "researcher", "reviewer")
LOOK_S = 0.1
OFFER = Offer(
    profile="full",
    provider="bedrock",
    models=("anthropic.claude-sonnet-5-5", "anthropic.claude-haiku-5-5"),
    attempts=16,
    routing="us",
)


class Host:
    """The account: `deployment` as its stack tells of it, `requests` that started something.

    What is `held` is not delivered.
    """

    def __init__(self, clients: Clients, folder: Path) -> None:
        self.clients, self._folder = clients, folder
        self.functions: dict[str, Any] = {}
        self.containers = Containers(self._work)
        self.held, self._reaps = False, True
        self.requests: list[str] = []
        self.deployment = Deployment(
            events_table=EVENTS,
            projections_table=PROJECTIONS,
            coordination_table=COORDINATION,
            artifact_bucket=BUCKET,
            event_bus="bus",
            state_machine=f"arn:aws:states:{REGION}:123456789012:stateMachine:run",
            answer_function=f"arn:aws:lambda:{REGION}:123456789012:function:answer:live",
            version=own_version(),
            run_slots=2,
        )
        self.cloud = self._wired("control")
        self._over = threading.Event()
        self._server = self._serve(0)
        self.address = self._server.get_host_and_port()
        self._courier = threading.Thread(target=self._deliver, daemon=True)
        self._started: set[str] = set()
        self._heard_of: set[str] = set()
        self._queue = ""

    def open(self) -> None:
        """Deploy, and begin to deliver what arrives."""
        light = self._wired("attempts", role="docs", shell=False)
        self.functions |= {name: _bound(name, self.cloud) for name in STEPS}
        self.functions |= {f"attempt-{role}": _bound("attempt", light) for role in ROLES}
        self.clients.state_machines.create_state_machine(
            name="run", definition=deployable(), roleArn="arn:aws:iam::123456789012:role/run"
        )
        told = {**self.deployment.outputs(), **OFFER.outputs()}
        outputs = {name: {"Value": value} for name, value in told.items()}
        topic = {"Type": "AWS::SNS::Topic"}
        template = {"Resources": {"Topic": topic}, "Outputs": outputs}
        self.clients.stacks.create_stack(
            StackName=f"{STACK}-control", TemplateBody=json.dumps(template)
        )
        self._open_bus()
        self._courier.start()

    def _open_bus(self) -> None:
        """Its rule leads into a queue, as the deployed one does."""
        queue = self.clients.queues.create_queue(QueueName="requests")["QueueUrl"]
        arn = f"arn:aws:sqs:{REGION}:123456789012:requests"
        bus, self._queue = self.deployment.event_bus, queue
        pattern = json.dumps({"detail-type": [PLAN_READY]})
        self.clients.events.create_event_bus(Name=bus)
        self.clients.events.put_rule(Name="ready", EventBusName=bus, EventPattern=pattern)
        target: Any = {"Id": "1", "Arn": arn}
        self.clients.events.put_targets(Rule="ready", EventBusName=bus, Targets=[target])

    def close(self) -> None:
        self._over.set()
        self._courier.join()
        self.cut()

    def cut(self) -> None:
        """Nobody reaches the account any more; what runs in it goes on."""
        self._server.stop()

    def mend(self) -> None:
        self._server = self._serve(self.address[1])

    def asked_for(self, runs: int) -> bool:
        """Whether that many requests are there that nobody has delivered."""
        found = self.cloud.supervision.artifacts.list(REQUESTS)
        return len(set(found) - self._started) == runs

    def told_of(self, plans: int) -> bool:
        """Whether that many plans are said to be ready that nobody has heard of."""
        told = self.clients.queues.get_queue_attributes(
            QueueUrl=self._queue, AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(told["Attributes"]["ApproximateNumberOfMessages"]) == plans

    def forget(self) -> None:
        """Drop the requests that are there."""
        for key in self.cloud.supervision.artifacts.list(REQUESTS):
            self.cloud.supervision.artifacts.delete(key)

    def lose_snapshots(self) -> None:
        self.cloud.supervision.artifacts.delete("snapshots/")

    @contextmanager
    def broken(self, function: str) -> Generator[None]:
        """An execution that comes to this function ends there, and nobody sees to it."""

        def fails(_: Any, __: Any) -> None:
            raise Superseded(function)

        before, self.functions[function] = self.functions[function], fails
        self._reaps = False
        try:
            yield
        finally:
            self.functions[function], self._reaps = before, True

    def _work(self, variables: dict[str, str]) -> None:
        """What a container does."""
        worker = self._wired(mkdtemp(dir=self._folder), role="implementer")
        run_id, attempt = variables["FANFOLD_WORKER_RUN_ID"], variables["FANFOLD_WORKER_ATTEMPT"]
        cloud = worker.claimed(Claim(run_id, attempt, "", "worker"))
        journal = cloud.supervision.journal(run_id)
        invoke(journal, attempt, cloud.wiring(run_id), "worker", lambda: False)

    def _wired(self, name: str, *, role: str = "", shell: bool = True) -> Cloud:
        """The program's own wiring, with agents that a script plays."""
        here = msgspec.structs.replace(self.deployment, role=role)
        sandbox = NoSandbox(environment()) if shell else None
        return _staged(aws(here, self.clients, self._folder / name, sandbox=sandbox, offer=OFFER))

    def _serve(self, port: int) -> ThreadedMotoServer:
        server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
        server.start()
        return server

    def _deliver(self) -> None:
        """The queue, the rules and the streams; without them no command shall wait for ever."""
        try:
            self._keep_delivering()
        except BaseException:
            self.cut()
            raise

    def _keep_delivering(self) -> None:
        while not self._over.wait(LOOK_S):
            if self.held:
                continue
            for key in self.cloud.supervision.artifacts.list(REQUESTS):
                if key not in self._started:
                    self._start(key)
                    self._started.add(key)
                    self.requests.append(key)
                self._project(key)
            self._hear()
            for run_id in self._heard_of:
                self._project(run_id)
            self._reap()

    def _project(self, key: str) -> None:
        name, runs = Path(key).stem, [Path(key).stem]
        with suppress(ArtifactMissing):  # of what was cleaned
            if key.startswith(BATCH_REQUESTS):
                runs = list(self.cloud.supervision.batch(name).refresh().runs())
        for run_id in runs:
            with suppress(ArtifactMissing):  # of a run that was cleaned, or is about to begin
                self.cloud.projections(run_id).project(run_stream(run_id))

    def _hear(self) -> None:
        """Take in what the bus has put into the queue."""
        found = self.clients.queues.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10)
        for message in found.get("Messages", ()):
            body = message.get("Body", "")
            self._heard_of.add(accept(body, self.cloud.supervision.artifacts).name)
            self._begin(body)
            self.clients.queues.delete_message(
                QueueUrl=self._queue, ReceiptHandle=message.get("ReceiptHandle", "")
            )

    def _start(self, key: str) -> None:
        self._begin(json.dumps({"detail-type": WRITTEN, "detail": {"object": {"key": key}}}))

    def _begin(self, body: str) -> None:
        records = {"Records": [{"messageId": "1", "body": body}]}
        handler = importlib.import_module("functions.start").handler
        assert handler(records, Invocation("start"), self.cloud) == {"batchItemFailures": []}

    def _reap(self) -> None:
        if not self._reaps:
            return
        for slot in self.cloud.supervision.slots.taken():
            if slot.execution and self.cloud.supervision.executions.is_over(slot.execution):
                reap_execution(slot.run, slot.execution, self.cloud.supervision)


@contextmanager
def hosted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Host]:
    """The account, with the environment that leads commands to it."""
    with account() as clients:
        host = Host(clients, folder / "cloud")
        (folder / "cloud").mkdir(exist_ok=True)

        called = Functions(host.functions)
        with interpreted(called, host.containers), answering(called):
            host.open()
            # Only now: this process's own clients, kept for other tests, lead to no address.
            for name, value in _variables(host).items():
                monkeypatch.setenv(name, value)
            try:
                yield host
            finally:
                host.close()


def requests_of_commands(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What commands ask of AWS from now on, by the names of its operations."""
    asked: list[str] = []

    def note(model: Any, **_: Any) -> None:
        asked.append(model.name)

    class Counted(Clients):
        def _client(self, *which: Any, **how: Any) -> Any:
            client = super()._client(*which, **how)
            client.meta.events.register("before-call", note, unique_id="note")
            return client

    monkeypatch.setattr("fanfold.cli.engines.aws.Clients", Counted)
    return asked


def _staged(cloud: Cloud) -> Cloud:
    def wiring(run_id: str) -> Wiring:
        settings = from_environment()
        models, prices = models_of(settings, credentials()), prices_of(settings)
        return replace(cloud.wiring(run_id), models=models, prices=prices)

    def claimed(claim: Claim) -> Cloud:
        return _staged(cloud.claimed(claim))

    return replace(cloud, wiring=wiring, claimed=claimed)


def _variables(host: Host) -> dict[str, str]:
    address, port = host.address
    return {
        "AWS_ENDPOINT_URL": f"http://{address}:{port}",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "FANFOLD_CLOUD_STACK": STACK,
        "FANFOLD_CLOUD_LOOK_S": "0.1",
        "FANFOLD_CLOUD_PATIENCE_S": "0.5",
    }


def _bound(name: str, cloud: Cloud) -> Function:
    handler = importlib.import_module(f"functions.{name}").handler

    def function(event: Any, context: Invocation) -> Any:
        return handler(event, context, cloud)

    return function
