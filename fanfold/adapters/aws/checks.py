"""Check commands by the function that can do nothing else: a tree in, a log out, by signed URLs."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

from fanfold.adapters.aws.failures import translated
from fanfold.errors import CloudError, CloudUnavailable, PrepareFailed, Stopped
from fanfold.ports import CommandResult
from fanfold.run.artifacts import layer_file
from fanfold.steps.check import Done, Order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mypy_boto3_s3 import S3Client

    from fanfold.ports import ArtifactStore, StopSignal
    from fanfold.run.environment import Layer

    Packs = Callable[[str, Sequence[str]], tuple[str, Iterable[str]]]

LOOK_S = 1.0
"""Between two looks at whether to stop waiting."""

VALID_S = 3600
"""How long its URLs are good for: longer than a call may take."""

_GIVEN_UP = frozenset({"Sandbox.Timedout", "Runtime.ExitError", "Runtime.OutOfMemory"})


class Invoker(Protocol):
    """The part of the Lambda client that calls functions."""

    def invoke(self, *, FunctionName: str, Payload: bytes) -> Any: ...  # noqa: N803


class _Place(NamedTuple):
    """What commands run on: a tree, the keys of its packs, and its layer, if any."""

    tree: str
    packs: tuple[str, ...]
    layer: Layer | None


class FunctionChecks:
    """`ports.Checks`: the commands share a checkout as far as the time of one call goes.

    `packs` gives a tree without the files to hide, and the keys, without their suffixes, of packs
    that hold it together; logs are put below `home`. `layer_of` is what a tree finds prepared.
    """

    def __init__(
        self,
        functions: Invoker,
        function: str,
        s3: S3Client,
        bucket: str,
        artifacts: ArtifactStore,
        packs: Packs,
        home: str,
        layer_of: Callable[[str], Layer] | None = None,
    ) -> None:
        self._functions, self._function, self._s3, self._bucket = functions, function, s3, bucket
        self._artifacts, self._packs, self._home = artifacts, packs, home
        self._layer_of = layer_of

    def run(
        self,
        tree: str,
        commands: Sequence[tuple[str, float]],
        *,
        hide: Sequence[str] = (),
        stop: StopSignal | None = None,
        so_far: Callable[[Sequence[CommandResult]], None] | None = None,
    ) -> list[CommandResult]:
        """One result a command, in order.

        A command that ends its place, by its memory or since it outlasts every call, is red.
        Raises `CloudUnavailable` where the function is throttled or fails by itself, `CloudError`,
        or `Stopped`: nobody waits for the function any more then, which ends by itself.
        """
        results: list[CommandResult] = []
        if not commands:
            return results
        try:
            layer = self._layer_of(tree) if self._layer_of else None
        except PrepareFailed as error:
            return [CommandResult(error.code, f"{error}\n{error.output}", 0.0)] * len(commands)
        visible, packs = self._packs(tree, hide)
        place = _Place(visible, tuple(packs), layer)
        while left := tuple(commands[len(results) :]):
            some = self._call(place, left, stop)
            results += some or self._call(place, left[:1], stop)
            if so_far and len(results) < len(commands):
                so_far(results)
        return results

    def _call(
        self, place: _Place, commands: tuple[tuple[str, float], ...], stop: StopSignal | None
    ) -> list[CommandResult]:
        """Results of the first commands; none where the place was ended by one of several."""
        log = f"{self._home}/{place.tree}-{secrets.token_hex(4)}.log"
        order = self._order(place, commands, log)
        answer, told = self._invoke(order) if stop is None else self._watched(order, stop)
        if "FunctionError" in answer:
            return self._without_log(commands, msgspec.json.decode(told))
        done = msgspec.json.decode(told, type=Done)
        results = msgspec.json.decode(self._artifacts.get(log), type=list[CommandResult])
        if not 0 < done.finished == len(results):
            raise CloudError(f"the check function's log {log!r} is not of its answer")
        return results

    def _order(self, place: _Place, commands: tuple[tuple[str, float], ...], log: str) -> Order:
        packs = tuple(
            (self._url("get_object", f"{key}.pack"), self._url("get_object", f"{key}.idx"))
            for key in place.packs
        )
        layer = None
        if place.layer is not None:
            key = layer_file(place.layer.digest, "tar.gz")
            layer = (self._url("get_object", key), place.layer.sha256)
        return Order(place.tree, packs, commands, self._url("put_object", log), layer)

    def _invoke(self, order: Order) -> tuple[Any, bytes]:
        with translated("call the check function"):
            answer = self._functions.invoke(
                FunctionName=self._function, Payload=msgspec.json.encode(order)
            )
            return answer, answer["Payload"].read()

    def _watched(self, order: Order, stop: StopSignal) -> tuple[Any, bytes]:
        """The same, looking now and then whether to stop. Raises `Stopped`."""
        pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checks")
        try:
            called = pool.submit(self._invoke, order)
            while not wait([called], timeout=LOOK_S).done:
                if stop():
                    raise Stopped("checks were stopped")
            return called.result()
        finally:
            pool.shutdown(wait=False)

    def _without_log(
        self, commands: tuple[tuple[str, float], ...], told: dict[str, Any]
    ) -> list[CommandResult]:
        """A place that was ended tells of no command: each is tried by itself, then is red."""
        kind, said = str(told.get("errorType", "")), str(told.get("errorMessage", ""))
        if kind not in _GIVEN_UP and "timed out" not in said:
            raise (CloudUnavailable if kind == "CloudUnavailable" else CloudError)(
                f"the check function failed: {kind}: {said}", kind
            )
        if len(commands) > 1:
            return []
        late = "timed out" in said or kind == "Sandbox.Timedout"
        return [CommandResult(124 if late else 137, f"ended with its place: {said}", 0.0, late)]

    def _url(self, operation: str, key: str) -> str:
        return self._s3.generate_presigned_url(
            operation, Params={"Bucket": self._bucket, "Key": key}, ExpiresIn=VALID_S
        )
