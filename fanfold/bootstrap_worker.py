"""Wiring of containers: what each was told, who waits for it, and what it works with."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from fanfold.adapters.aws.clients import Clients
from fanfold.adapters.aws.task_token import TaskToken
from fanfold.bootstrap_aws import Claim, aws
from fanfold.errors import SandboxUnavailable
from fanfold.settings import builder, deployment, environment, worker

if TYPE_CHECKING:
    from fanfold.bootstrap_aws import Cloud
    from fanfold.bootstrap_prepare import Preparing
    from fanfold.ports import Callback, Sandbox
    from fanfold.settings import Builder, Worker


@dataclass(frozen=True)
class Post:
    """A container's own: what it was told, who waits for it, and what it works with."""

    worker: Worker
    claim: Claim
    callback: Callback
    cloud: Cloud


def post() -> Post:
    """As the environment of this container says.

    Raises `InvalidSettings`, or `SandboxUnavailable` where commands cannot be another user's.
    """
    from fanfold.bootstrap import holder

    told, here, clients = worker(), deployment(), Clients()
    folder = Path(tempfile.gettempdir()) / "fanfold"
    return Post(
        told,
        Claim(told.run_id, told.attempt, told.key, holder()),
        TaskToken(clients.state_machines, told.task_token),
        aws(here, clients, folder, sandbox=_second_user(folder)),
    )


def builder_post() -> tuple[Builder, Preparing]:
    """What the container that prepares a tree is told, and what that takes.

    Raises `InvalidSettings`, `SandboxUnavailable` or `ArtifactMissing`.
    """
    told, folder = builder(), Path(tempfile.gettempdir()) / "fanfold"
    here = replace(deployment(), role="builder")
    cloud = aws(here, Clients(), folder, sandbox=_second_user(folder))
    return told, cloud.preparing(told.run_id)


def _second_user(folder: Path) -> Sandbox:
    from fanfold.adapters.local.sandbox import harden_process
    from fanfold.adapters.local.sandbox_uid import SecondUser

    harden_process()
    guarded = SecondUser(environment(), folder)
    routed = any(name.upper() == "HTTPS_PROXY" for name in environment())
    # Where nothing leads out, tests that need loopback matter more than who asks for an address.
    online = not routed and not guarded.can_guard()
    sandbox = SecondUser(environment(), folder, online=True) if online else guarded
    problem = sandbox.available()
    if problem:
        raise SandboxUnavailable(problem)
    return sandbox
