"""Intake: a message from outside becomes the one manifest of the run that it asks for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from fanfold.errors import UserError
from fanfold.run.artifacts import batch_request_file, request_file, run_file
from fanfold.steps.batch_request import load_batch
from fanfold.steps.request import MANIFEST, Request, run_identity

if TYPE_CHECKING:
    from fanfold.ports import ArtifactStore

PLAN_READY = "fanfold.plan.ready"
WRITTEN = "Object Created"
LARGEST_WAVE = 100
"""Attempts whose pointers an execution can surely carry: a quarter of its payload."""
_MANIFEST_KEY = re.compile(r"requests/(batches/)?([0-9a-f]{10})\.json")


class InvalidMessage(UserError):
    """A message that asks for no run, or not for one that can be."""


class Asked(NamedTuple):
    """The name of the run that is asked for, or of the batch."""

    name: str
    is_batch: bool = False


class _Message(msgspec.Struct):
    kind: str = msgspec.field(name="detail-type")
    detail: dict[str, Any]


def accept(message: str, artifacts: ArtifactStore) -> Asked:
    """Give the run that `message` asks for; its manifest is there then, the first one for good.

    It is either the word of S3 that a manifest was written below `requests/`, or the event
    `fanfold.plan.ready`, whose detail is a manifest without `run_id` and maybe a `rerun`: any text,
    which asks for the same plan at the same base once more. A batch, whose manifest lies beside its
    report, is asked for by what appears below `requests/batches/`.

    Raises `InvalidMessage` with what is wrong, `ArtifactMissing`.
    """
    try:
        told = msgspec.json.decode(message, type=_Message)
    except msgspec.MsgspecError as error:
        raise InvalidMessage(f"not an event: {error}") from None
    if told.kind == PLAN_READY:
        request = _wanted(told.detail)
    elif told.kind == WRITTEN:
        asked = _named(told.detail)
        if asked.is_batch:
            _require_batch(asked.name, artifacts)
            return asked
        if artifacts.exists(run_file(asked.name, MANIFEST)):
            return asked
        request = _written(asked.name, artifacts)
    else:
        raise InvalidMessage(f"detail-type {told.kind!r} is neither {PLAN_READY} nor {WRITTEN}")
    key = run_file(request.run_id, MANIFEST)
    if not artifacts.exists(key):
        artifacts.put(key, msgspec.json.encode(request))
    return Asked(request.run_id)


def ready_detail(request: Request) -> dict[str, Any]:
    """The detail of `fanfold.plan.ready` by which `accept` asks for the very same run."""
    detail = msgspec.to_builtins(request)
    del detail["run_id"]
    return detail


def event_schema() -> dict[str, Any]:
    """The JSON Schema of the detail of `fanfold.plan.ready`."""
    schema = msgspec.json.schema(Request)
    request = schema["$defs"]["Request"]
    del request["properties"]["run_id"]
    request["required"].remove("run_id")
    request["properties"]["rerun"] = {"type": "string", "default": ""}
    request["additionalProperties"] = False
    request["description"] = (
        "A plan may be run. Money is in micro-dollars; the snapshot of `base` must be in the "
        "bucket. What the same plan at the same base asks for again is the same run, unless "
        "`rerun` differs."
    )
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": PLAN_READY} | schema


def _wanted(detail: dict[str, Any]) -> Request:
    """The name of the run follows from what is asked for."""
    rerun = detail.get("rerun", "")
    known = {field.encode_name for field in msgspec.structs.fields(Request)} - {"run_id"}
    unknown = sorted(detail.keys() - known - {"rerun"})
    if unknown:
        raise InvalidMessage(f"{PLAN_READY}: unknown field {unknown[0]!r}")
    if not isinstance(rerun, str):
        raise InvalidMessage(f"{PLAN_READY}: `rerun` is no text")
    try:
        request = msgspec.convert({**detail, "run_id": ""}, Request)
    except msgspec.ValidationError as error:
        raise InvalidMessage(f"{PLAN_READY}: {error}") from None
    _require_sense(request)
    options = msgspec.structs.replace(request.options, engine="aws")
    return msgspec.structs.replace(
        request,
        run_id=run_identity(
            request.project, request.branch, request.base, request.plan_sha256, rerun
        ),
        options=options,
    )


def _require_sense(request: Request) -> None:
    hexadecimal = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
    for name in ("base", "base_tree", "plan_sha256"):
        if not hexadecimal.fullmatch(getattr(request, name)):
            raise InvalidMessage(f"{PLAN_READY}: `{name}` is no id: {getattr(request, name)!r}")
    if request.limits.cap <= 0 or not 0 < request.limits.slice <= request.limits.cap:
        raise InvalidMessage(f"{PLAN_READY}: `limits` must have 0 < slice <= cap")
    if not 0 < request.limits.wave <= LARGEST_WAVE:
        raise InvalidMessage(f"{PLAN_READY}: `limits` must have 0 < wave <= {LARGEST_WAVE}")
    if not request.options.model and "" not in request.models:
        raise InvalidMessage(f"{PLAN_READY}: `models` names no model for the role ''")


def _named(detail: dict[str, Any]) -> Asked:
    key: object = detail.get("object", {}).get("key")
    found = _MANIFEST_KEY.fullmatch(key) if isinstance(key, str) else None
    if found is None:
        raise InvalidMessage(f"{key!r} is no manifest: it must be requests/<run>.json")
    return Asked(found[2], is_batch=found[1] is not None)


def _require_batch(batch_id: str, artifacts: ArtifactStore) -> None:
    key = batch_request_file(batch_id)
    try:
        batch = load_batch(artifacts, batch_id)
    except msgspec.MsgspecError as error:
        raise InvalidMessage(f"{key}: its manifest: {error}") from None
    runs = {track.id: track.run for track in batch.asked.tracks}
    asked = {track: request.run_id for track, request in batch.requests.items()}
    own = {request.options.batch for request in batch.requests.values()}
    if batch.asked.batch_id != batch_id or runs != asked or own != {batch_id}:
        raise InvalidMessage(f"{key}: its manifest is another batch's, or not of its tracks")


def _written(run_id: str, artifacts: ArtifactStore) -> Request:
    key = request_file(run_id)
    try:
        request = msgspec.json.decode(artifacts.get(key), type=Request)
    except msgspec.MsgspecError as error:
        raise InvalidMessage(f"{key}: {error}") from None
    if request.run_id != run_id:
        raise InvalidMessage(f"{key} asks for run {request.run_id!r}")
    return request
