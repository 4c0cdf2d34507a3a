"""Hand in: everything that a run in the cloud starts from; its request appears last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.run.artifacts import request_file, run_file
from fanfold.steps.request import MANIFEST, PLAN

if TYPE_CHECKING:
    from fanfold.ports import ArtifactStore
    from fanfold.steps.request import Request


def was_handed_in(artifacts: ArtifactStore, run_id: str) -> bool:
    """Whether somebody asked for this very run before."""
    return artifacts.exists(request_file(run_id))


def hand_in(artifacts: ArtifactStore, request: Request, plan: bytes) -> None:
    """Ask for a run whose base is among the artifacts; the request's appearance starts it."""
    manifest = msgspec.json.encode(request)
    artifacts.put(run_file(request.run_id, PLAN), plan)
    artifacts.put(run_file(request.run_id, MANIFEST), manifest)
    artifacts.put(request_file(request.run_id), manifest)
