"""Hand in: everything that a run or a batch in the cloud starts from; its request appears last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fanfold.run.artifacts import batch_request_file, request_file, run_file
from fanfold.steps.batch_request import put_batch
from fanfold.steps.request import MANIFEST, PLAN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fanfold.ports import ArtifactStore
    from fanfold.steps.batch_request import Batch
    from fanfold.steps.request import Request


def was_handed_in_batch(artifacts: ArtifactStore, batch_id: str) -> bool:
    """Whether somebody asked for this very batch before."""
    return artifacts.exists(batch_request_file(batch_id))


def hand_in_batch(artifacts: ArtifactStore, batch: Batch, plans: Mapping[str, bytes]) -> None:
    """Ask for a batch whose base is among the artifacts; `plans` are by track.

    The appearance of its request, which is empty, starts it.
    """
    put_batch(artifacts, batch, plans)
    artifacts.put(batch_request_file(batch.asked.batch_id), b"")


def was_handed_in(artifacts: ArtifactStore, run_id: str) -> bool:
    """Whether somebody asked for this very run before."""
    return artifacts.exists(request_file(run_id))


def hand_in(artifacts: ArtifactStore, request: Request, plan: bytes) -> None:
    """Ask for a run whose base is among the artifacts; the request's appearance starts it."""
    manifest = msgspec.json.encode(request)
    artifacts.put(run_file(request.run_id, PLAN), plan)
    artifacts.put(run_file(request.run_id, MANIFEST), manifest)
    artifacts.put(request_file(request.run_id), manifest)
