"""The request: everything a run needs to know, written once before its first event."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from fanfold.errors import ArtifactMissing
from fanfold.plan.model import Predicted
from fanfold.run.artifacts import run_file
from fanfold.run.attempt import RoleRules
from fanfold.run.decoders import learn
from fanfold.run.events import CheckSpec, RunLimits, RunOptions, RunRequested, run_stream

if TYPE_CHECKING:
    from fanfold.ports import ArtifactStore, EventStore

MANIFEST = "base.json"
PLAN = "plan.md"


class Part(msgspec.Struct, frozen=True):
    """A track's result that is folded with others: what it changed from `base_tree` to `tree`.

    `tip` is its last commit, which has the marks of its plan too; `needs` are other parts' tracks.
    """

    track: str
    title: str
    plan: str
    run: str
    tip: str
    base_tree: str
    tree: str
    needs: tuple[str, ...] = ()


class Request(msgspec.Struct, frozen=True):
    """`base.json`: the base a run starts from and how it was asked for; `author` signs its commits.

    `models` and `efforts` are keyed by role, "" for the default; `provider` is who serves them.
    `predicted` is what tasks will probably write, of which a snapshot does not tell all.
    A run with `parts` folds them; `result` is the branch it makes ("" for its own). `snapshot` is
    the commit that was pushed, where `base` was made from it by other runs.
    """

    run_id: str
    project: str
    plan_path: str
    plan_sha256: str
    base: str
    base_tree: str
    branch: str
    author: tuple[str, str]
    limits: RunLimits
    options: RunOptions = RunOptions()
    checks: tuple[CheckSpec, ...] = ()
    unit_checks: tuple[CheckSpec, ...] = ()
    models: dict[str, str] = {}
    efforts: dict[str, str] = {}
    context_deny: tuple[str, ...] = ()
    roles: dict[str, RoleRules] = {}
    network: tuple[str, ...] = ()
    prepare: tuple[str, ...] = ()
    prepare_network: tuple[str, ...] = ()
    image: str = ""
    left_out: int = 0
    provider: str = ""
    predicted: dict[str, tuple[Predicted, ...]] = {}
    parts: tuple[Part, ...] = ()
    result: str = ""
    snapshot: str = ""

    @property
    def pushed(self) -> str:
        """The commit whose files are among the artifacts as a snapshot."""
        return self.snapshot or self.base

    def model_for(self, role: str) -> str:
        own = self.rules_for(role).model or self.models.get(role)
        return self.options.model or own or self.models[""]

    @property
    def named_models(self) -> list[str]:
        """Every model that a role may be played by."""
        roles = {"", *self.models, *self.roles}
        return sorted({self.model_for(role) for role in roles})

    @property
    def has_checks(self) -> bool:
        """Whether any command is run on what agents make."""
        return bool(self.checks or self.unit_checks)

    @property
    def named_hosts(self) -> list[str]:
        """Every host that commands of some role may reach."""
        return sorted({host for role in ("", *self.roles) for host in self.hosts_for(role)})

    def effort_for(self, role: str) -> str | None:
        return self.rules_for(role).effort or self.efforts.get(role) or self.efforts.get("")

    def hosts_for(self, role: str) -> tuple[str, ...]:
        """What the role's commands may reach: its own list, else the project's."""
        own = self.rules_for(role).network
        return self.network if own is None else own

    def rules_for(self, role: str) -> RoleRules:
        return self.roles.get(role, RoleRules())


def run_identity(project: str, branch: str, base: str, plan_sha256: str, nonce: str = "") -> str:
    """The run's name: however often and from wherever the same thing is asked for, one run."""
    text = "\0".join((project, branch, base, plan_sha256, nonce))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def submit(events: EventStore, artifacts: ArtifactStore, request: Request, plan: bytes) -> None:
    """Write plan and manifest, then the event that makes the run exist."""
    artifacts.put(run_file(request.run_id, PLAN), plan)
    artifacts.put(run_file(request.run_id, MANIFEST), msgspec.json.encode(request))
    events.append(run_stream(request.run_id), 0, [requested(request)])


def requested(request: Request) -> RunRequested:
    """The first event of the run that was asked for."""
    return RunRequested(
        run_id=request.run_id,
        plan=request.plan_path,
        plan_sha256=request.plan_sha256,
        base=request.base,
        options=request.options,
    )


def load_request(artifacts: ArtifactStore, run_id: str) -> Request:
    """The manifest of a run.

    Raises:
        ArtifactMissing: the run was never submitted, or its artifacts were removed.
    """
    return msgspec.json.decode(artifacts.get(run_file(run_id, MANIFEST)), type=Request)


def load_plan(artifacts: ArtifactStore, request: Request) -> bytes:
    """The plan as it was when the run was asked for, checked against its digest."""
    try:
        return artifacts.get(run_file(request.run_id, PLAN), request.plan_sha256)
    except ArtifactMissing as error:
        raise ArtifactMissing(f"run {request.run_id}: its plan is gone ({error})") from None


learn(Request)
