"""Wiring in an AWS account: what the functions and the containers there work with."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fanfold.adapters.aws.artifact_store import S3ArtifactStore
from fanfold.adapters.aws.claim_keys import DynamoClaimKeys
from fanfold.adapters.aws.clients import Clients
from fanfold.adapters.aws.event_bus import EventBus
from fanfold.adapters.aws.event_store import DynamoEventStore
from fanfold.adapters.aws.executions import StateMachineExecutions
from fanfold.adapters.aws.granted import FunctionGrants, GrantedLease
from fanfold.adapters.aws.lease import DynamoLease
from fanfold.adapters.aws.news_desk import BusNewsDesk
from fanfold.adapters.aws.projections import Projections
from fanfold.adapters.aws.sessions import AttemptSessions
from fanfold.adapters.aws.slots import Slots
from fanfold.adapters.aws.table import Table
from fanfold.adapters.local.clock import SystemClock
from fanfold.bootstrap_calls import LatePrices, model_of
from fanfold.run.access import HARNESS, MODEL_PASS
from fanfold.run.artifacts import attempt_file, verify_file
from fanfold.run.batch_events import batch_stream
from fanfold.settings import (
    credentials,
    deployment,
    offer,
)
from fanfold.steps.batch_request import project_of_batch
from fanfold.steps.decide import lease_of, owner_of
from fanfold.steps.journal import BatchJournal, Journal
from fanfold.steps.keyring import Keyring
from fanfold.steps.request import load_request
from fanfold.steps.wiring import Supervision, Wiring

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.adapters.aws.granted import Invoker
    from fanfold.adapters.git.snapshots import SnapshotRepository
    from fanfold.bootstrap_prepare import Preparing
    from fanfold.ports import (
        Checks,
        Clock,
        Grants,
        Lease,
        Sandbox,
        Sessions,
        Vault,
        Workspaces,
    )
    from fanfold.run.offer import Offered
    from fanfold.settings import Deployment
    from fanfold.steps.environment import Environments


ANTHROPIC = "https://api.anthropic.com"


class Claim(NamedTuple):
    """The attempt that a worker is there for, the key to it, and what the worker calls itself."""

    run_id: str
    attempt: str
    key: str
    holder: str


@dataclass(frozen=True)
class Cloud:
    """What starts and steers executions; by run the ports of its steps, its project, its views.

    `announced` tells the event bus what there is to tell of a run. `batch_projected` brings the
    views up to date with a batch, and tells of it. `preparing` is what making environments takes.

    `claimed` is the same with the rights of one attempt, which a worker needs before all else; it
    raises `LeaseHeld`, `AttemptOver`, `ClaimRefused` or `CloudError`. `sessions` are `grant`'s own.
    Each run has at most `concurrency` attempts at work at once.
    """

    supervision: Supervision
    wiring: Callable[[str], Wiring]
    project: Callable[[str], str]
    projections: Callable[[str], Projections]
    sessions: Sessions
    claimed: Callable[[Claim], Cloud]
    announced: Callable[[str], None]
    batch_projected: Callable[[str], None]
    concurrency: int
    preparing: Callable[[str], Preparing]


@cache
def deployed() -> Cloud:
    """As the environment of this function says. Raises `InvalidSettings`."""
    folder = Path(tempfile.gettempdir()) / "fanfold"
    return aws(deployment(), Clients(), folder, offer=offer())


def secret_reader() -> Callable[[str, bool], str]:
    """The value of a secret by its name; true where what was read before is refused."""
    from fanfold.adapters.aws.secret_store import SecretStore

    store = SecretStore(Clients().secrets, SystemClock())
    return lambda name, fresh: store.get(name, fresh=fresh)


def vault() -> Vault:
    """The secrets of this account, version by version."""
    from fanfold.adapters.aws.vault import SecretVault

    return SecretVault(Clients().secrets)


def accepts_key(key: str) -> bool:
    """Whether the model API accepts `key`. Raises `ModelUnavailable` where it does not say."""
    from fanfold.adapters.claude.key_check import is_accepted

    return is_accepted(credentials().base_url or ANTHROPIC, key)


def aws(
    deployment: Deployment,
    clients: Clients,
    folder: Path,
    *,
    sandbox: Sandbox | None = None,
    clock: Clock | None = None,
    functions: Invoker | None = None,
    offer: Offered | None = None,
) -> Cloud:
    """The deployment as one process uses it; repositories and workspaces lie below `folder`.

    With a `sandbox`, attempts whose role has a shell get one. `functions` are called in place of
    the account's; what the `offer` does not hold is refused at admission.
    """
    site = _Account(
        *(deployment, clients, folder, sandbox, clock or SystemClock()),
        functions=functions,
        offer=offer,
    )

    def claimed(claim: Claim) -> Cloud:
        if not deployment.grant_function:
            return cloud
        client = functions or clients.functions
        grants = FunctionGrants(client, deployment.grant_function, site.clock)
        return _cloud(site.claimed(grants, claim), claimed)

    cloud = _cloud(site, claimed)
    return cloud


def _cloud(site: _Account, claimed: Callable[[Claim], Cloud]) -> Cloud:
    deployment, clients = site.deployment, site.clients
    supervision = Supervision(
        journal=lambda run_id: Journal(site.events(run_id), run_id),
        batch=lambda batch_id: BatchJournal(site.batch_events(batch_id), batch_id),
        artifacts=site.artifacts,
        lease=site.lease,
        clock=site.clock,
        slots=Slots(site.coordination, deployment.run_slots, site.clock),
        executions=StateMachineExecutions(clients.state_machines, deployment.state_machine),
        keys=DynamoClaimKeys(site.coordination, site.clock),
    )
    secret = _sealing(deployment, clients)
    sessions = AttemptSessions(clients.identity, deployment.session_role, site.clock, secret)
    return Cloud(
        supervision=supervision,
        wiring=site.wiring,
        project=site.project,
        projections=site.projections,
        sessions=sessions,
        claimed=claimed,
        announced=site.announce,
        preparing=site.preparing,
        batch_projected=site.project_batch,
        concurrency=deployment.concurrency,
    )


def _sealing(deployment: Deployment, clients: Clients) -> Callable[[], str] | None:
    """What seals passes, in a deployment that has them."""
    if not deployment.pass_secret:
        return None
    from fanfold.adapters.aws.secret_store import SecretStore

    store = SecretStore(clients.secrets, SystemClock())
    return partial(store.get, deployment.pass_secret)


class _Account:
    """The stores of a deployment; what a run adds to them is found by its request."""

    def __init__(
        self,
        deployment: Deployment,
        clients: Clients,
        folder: Path,
        sandbox: Sandbox | None,
        clock: Clock,
        lease: Lease | None = None,
        model_pass: str = "",
        functions: Invoker | None = None,
        attempt: str = "",
        home: str = "",
        offer: Offered | None = None,
    ) -> None:
        """`home` is where the `attempt` may put what its checks are made of and say."""
        self.deployment, self.clients, self._folder = deployment, clients, folder
        self._sandbox, self.clock = sandbox, clock
        self._attempt, self._home = attempt, home
        self._offer = offer
        self.artifacts = S3ArtifactStore(clients.s3, deployment.artifact_bucket)
        self.coordination = Table(clients.dynamodb, deployment.coordination_table)
        self.lease = lease or DynamoLease(self.coordination, clock)
        self._model_pass, self._functions = model_pass, functions

    def claimed(self, grants: Grants, claim: Claim) -> _Account:
        """The same with the rights of one attempt, and its lease."""
        from fanfold.steps.attempt import LEASE_S

        name = lease_of(claim.run_id, claim.attempt)
        lease = GrantedLease(
            grants, run_id=claim.run_id, attempt=claim.attempt, key=claim.key, lease=name
        )
        epoch = lease.acquire(name, owner_of(claim.holder, claim.attempt), LEASE_S)
        return _Account(
            self.deployment,
            self.clients.with_credentials(lease.credentials),
            self._folder,
            self._sandbox,
            self.clock,
            lease,
            lease.model_pass,
            self._functions,
            claim.attempt,
            attempt_file(claim.run_id, claim.attempt, epoch, "checks"),
        )

    def project(self, run_id: str) -> str:
        """Raises `ArtifactMissing` for a run that nobody asked for."""
        return load_request(self.artifacts, run_id).project

    def events(self, run_id: str) -> DynamoEventStore:
        return self._events_of(self.project(run_id))

    def batch_events(self, batch_id: str) -> DynamoEventStore:
        """Raises `ArtifactMissing` for a batch that nobody asked for."""
        return self._events_of(project_of_batch(self.artifacts, batch_id))

    def _events_of(self, project: str) -> DynamoEventStore:
        table = Table(self.clients.dynamodb, self.deployment.events_table)
        return DynamoEventStore(table, project, self.clock, self.artifacts)

    def projections(self, run_id: str) -> Projections:
        table = Table(self.clients.dynamodb, self.deployment.projections_table)
        return Projections(table, self.project(run_id), self.events(run_id))

    def announce(self, run_id: str) -> None:
        from fanfold.steps.announce import announce

        announce(run_id, self.events(run_id), self._news_desk(self.project(run_id)))

    def project_batch(self, batch_id: str) -> None:
        """Raises `ArtifactMissing` for a batch that nobody asked for."""
        from fanfold.steps.announce_batch import announce_batch

        project = project_of_batch(self.artifacts, batch_id)
        table = Table(self.clients.dynamodb, self.deployment.projections_table)
        events = self._events_of(project)
        Projections(table, project, events).project(batch_stream(batch_id))
        announce_batch(batch_id, events, self._news_desk(project))

    def _news_desk(self, project: str) -> BusNewsDesk:
        table = Table(self.clients.dynamodb, self.deployment.projections_table)
        bus = EventBus(self.clients.events, self.deployment.event_bus)
        return BusNewsDesk(bus, table, project)

    def wiring(self, run_id: str) -> Wiring:
        """The ports of the run's steps; its repository is made of what was pushed and published.

        Raises `ArtifactMissing` where the snapshot of its base is not there.
        """
        from fanfold.adapters.git.deferred import DeferredCheckouts
        from fanfold.adapters.git.workspaces import CHECKOUT, GitWorkspaces
        from fanfold.adapters.local.secrets import Secrets
        from fanfold.agent.run_warmth import RunWarmth

        keyring = Keyring({MODEL_PASS: self._model_pass}.get)
        keyring.read(HARNESS, MODEL_PASS)
        repository = self._repository(run_id)
        preparing = self.preparing(run_id, repository)
        base = preparing.request.pushed
        environments = preparing.environments(self.artifacts, partial(self._started_from, run_id))
        workspaces = GitWorkspaces(
            repository,
            self._folder / "workspaces",
            self._sandbox,
            furnish=environments.furnish if environments else None,
            at=self._folder.with_name(CHECKOUT),
        )
        return Wiring(
            events=self.events(run_id),
            artifacts=self.artifacts,
            lease=self.lease,
            clock=self.clock,
            repository=repository,
            workspaces=DeferredCheckouts(workspaces),
            checks=self._checks(run_id, base, repository, workspaces, environments),
            models=partial(model_of, self._model_pass),
            prices=LatePrices(),
            secrets=Secrets(keyring.given),
            has_shell=self._sandbox is not None,
            has_containers=self.deployment.profile != "lite",
            warmth=RunWarmth(self.artifacts, run_id, self.clock),
            secret_reads=keyring.decided,
            offer=self._offer,
        )

    def _repository(self, run_id: str) -> SnapshotRepository:
        from fanfold.adapters.git.snapshots import SnapshotRepository, published_folder

        return SnapshotRepository(
            self._folder / f"{run_id}.git",
            self.artifacts,
            home=published_folder(run_id),
            snapshots=[load_request(self.artifacts, run_id).pushed],
            publishes=not self.deployment.role,
        )

    def preparing(self, run_id: str, repository: SnapshotRepository | None = None) -> Preparing:
        """What preparing the trees of a run takes; `repository` is the run's, opened before."""
        from fanfold.adapters.aws.layers import S3Layers
        from fanfold.adapters.git.base import MAX_STORED_BYTES
        from fanfold.adapters.git.workspaces import CHECKOUT, GitWorkspaces
        from fanfold.bootstrap_prepare import Preparing

        layers = S3Layers(self.clients.s3, self.deployment.artifact_bucket, self.artifacts)
        workspaces = GitWorkspaces(
            repository or self._repository(run_id),
            self._folder / "workspaces",
            self._sandbox,
            max_file_bytes=MAX_STORED_BYTES,
            at=self._folder.with_name(CHECKOUT),
        )
        request = load_request(self.artifacts, run_id)
        return Preparing(request, layers, workspaces, self.deployment.base_image)

    def _started_from(self, run_id: str) -> str:
        """The tree that this attempt, or else the run, started from."""
        if not self._attempt:
            return load_request(self.artifacts, run_id).base_tree
        units = Journal(self.events(run_id), run_id).refresh().units
        unit = units[self._attempt.rpartition(".")[0]]
        return unit.try_of(self._attempt).dispatched.base_tree

    def _checks(
        self,
        run_id: str,
        base: str,
        repository: SnapshotRepository,
        workspaces: Workspaces,
        environments: Environments | None,
    ) -> Checks:
        """In the function that has no rights, where there is one."""
        if not self.deployment.check_function or self._sandbox is not None:
            from fanfold.adapters.local.checks import TreeChecks

            return TreeChecks(workspaces)
        from fanfold.adapters.aws.checks import FunctionChecks
        from fanfold.adapters.git.snapshots import pack_keys, published_folder
        from fanfold.adapters.git.tree_packs import TreePacks

        def published() -> list[str]:
            return pack_keys(self.artifacts, base, published_folder(run_id))

        return FunctionChecks(
            self._functions or self.clients.long_calls,
            self.deployment.check_function,
            self.clients.s3,
            self.deployment.artifact_bucket,
            self.artifacts,
            TreePacks(
                repository, self.artifacts, published, self._home or verify_file(run_id, "trees")
            ),
            self._home or verify_file(run_id, "logs"),
            environments.of if environments else None,
        )
