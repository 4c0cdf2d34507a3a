"""Clients that may do what the synthesised policies of their role allow, and nothing else."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from fanfold.adapters.aws.clients import Clients
from tests.kit.account import BUCKET, COORDINATION, EVENTS, PROJECTIONS, REGION, shared_clients
from tests.kit.assembly import ACCOUNT, HERE, Assembly
from tests.kit.iam import Request, applies

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fanfold.run.grant import SessionCredentials

SESSION = "attempt-session"
KEYS = {EVENTS: "stream", PROJECTIONS: "view", COORDINATION: "kind"}
OBJECTS = f"arn:aws:s3:::fanfold-dev-artifacts-{ACCOUNT}-{REGION}"
_SAME = {"HeadObject": "GetObject", "ListObjectsV2": "ListBucket", "DeleteObjects": "DeleteObject"}


class Asked(NamedTuple):
    """One permission that a request takes."""

    action: str
    resource: str
    context: dict[str, str | tuple[str, ...]] = {}  # noqa: RUF012


class Guard:
    """The policies of an assembly before an account in memory; `denied` is what they refused."""

    def __init__(self, account: Assembly) -> None:
        self.account, self.denied = account, list[str]()
        self.asked: set[tuple[str, str]] = set()
        self._tags: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()

    def clients(self, role: str) -> Clients:
        return GuardedClients(self, role)

    def check(self, role: str, access_key: str, service: str, name: str, params: Any) -> None:
        """Raises `ClientError` as the service would."""
        tags = {f"aws:PrincipalTag/{k}": v for k, v in self._tags.get(access_key, {}).items()}
        for asked in permissions(service, name, params, self.account.key_arn):
            context = {**tags, **asked.context}
            self.asked.add((role, asked.action))
            if not self._may(role, asked, context, service):
                self._refuse(name, f"{role} may not {asked.action} {asked.resource} {context}")
        if service == "s3" and name in {"GetObject", "HeadObject"}:
            self._hide_what_is_missing(role, tags, name, params)

    def remember(self, access_key: str, tags: Mapping[str, str]) -> None:
        with self._lock:
            self._tags[access_key] = dict(tags)

    def trusts(self, role: str, tags: Mapping[str, str]) -> None:
        """Whether the session's role lets `role` assume it with these tags."""
        session, assuming = self.account.roles[SESSION], self.account.roles[role]
        keys = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
        for action in ("sts:AssumeRole", "sts:TagSession"):
            context = {"aws:TagKeys": tuple(tags), **keys}
            request = Request(assuming.arn, action, session.arn, context)
            if not any(applies(s, request) for s in session.trust):
                self._refuse("AssumeRole", f"{SESSION} does not trust {role} with {tags}")

    def _may(self, role: str, asked: Asked, context: Mapping[str, Any], service: str) -> bool:
        identity = self.account.roles[role]
        inside = role == SESSION and asked.action.startswith(f"{service}:")
        endpoint = self.account.endpoint(service) if inside else None
        return identity.may(asked.action, asked.resource, context, endpoint=endpoint)

    def _hide_what_is_missing(
        self, role: str, tags: Mapping[str, Any], name: str, params: Any
    ) -> None:
        """Who may not list the bucket as a whole is denied what is not there."""
        if self.account.roles[role].may("s3:ListBucket", OBJECTS, tags):
            return
        found = shared_clients().s3.list_objects_v2(Bucket=BUCKET, Prefix=params["Key"], MaxKeys=1)
        if [each.get("Key") for each in found.get("Contents", ())] != [params["Key"]]:
            raise denial(name)

    def _refuse(self, name: str, why: str) -> None:
        with self._lock:
            self.denied.append(why)
        raise denial(name)


class GuardedClients(Clients):
    """`Clients` of a role, or of the sessions that it opens."""

    def __init__(
        self,
        guard: Guard,
        role: str,
        give: Callable[[], SessionCredentials] | None = None,
    ) -> None:
        super().__init__(region=REGION, credentials=None if give is None else self._given)
        self._guard, self._role, self._give = guard, role, give
        self._access_key = ""
        self._assuming = threading.local()

    def with_credentials(self, give: Callable[[], SessionCredentials]) -> Clients:
        return GuardedClients(self._guard, SESSION, give)

    def _given(self) -> SessionCredentials:
        assert self._give is not None
        given = self._give()
        self._access_key = given.access_key
        return given

    def _client(self, service: str, special: Any = None) -> Any:
        client = super()._client(service, special) if special else super()._client(service)
        if not getattr(client, "guarded", False):
            client.guarded = True
            client.meta.events.register(f"provide-client-params.{service}", self._before)
            client.meta.events.register("after-call.sts.AssumeRole", self._after_assuming)
        return client

    def _before(self, params: dict[str, Any], model: Any, **_: object) -> None:
        service = model.service_model.service_name
        self._guard.check(self._role, self._access_key, service, model.name, params)
        if model.name == "AssumeRole":
            self._assuming.tags = {tag["Key"]: tag["Value"] for tag in params["Tags"]}
            self._guard.trusts(self._role, self._assuming.tags)

    def _after_assuming(self, parsed: dict[str, Any], **_: object) -> None:
        self._guard.remember(parsed["Credentials"]["AccessKeyId"], self._assuming.tags)


def permissions(service: str, name: str, params: Any, key: str) -> list[Asked]:
    """What a request takes; what is not known here fails. All that is stored is encrypted."""
    match service:
        case "dynamodb":
            return [*_dynamodb(name, params), _decrypt(key, service)]
        case "s3":
            return [*_s3(name, params), _decrypt(key, service)]
        case "stepfunctions":
            return [_steps(name, params)]
        case "sts":
            arn = f"arn:aws:iam::{ACCOUNT}:role/fanfold-dev-{SESSION}"
            return [Asked("sts:AssumeRole", arn), Asked("sts:TagSession", arn)]
        case _:
            raise AssertionError(f"nobody judges {service}.{name}")


def _dynamodb(name: str, params: Any) -> list[Asked]:
    if name == "TransactWriteItems":
        return [
            asked
            for write in params["TransactItems"]
            for kind, item in write.items()
            for asked in _dynamodb(f"{kind}Item", item)
        ]
    table = params["TableName"]
    arn = f"arn:aws:dynamodb:{HERE}:table/fanfold-dev-{table}"
    if "IndexName" in params:
        return [Asked(f"dynamodb:{name}", f"{arn}/index/{params['IndexName']}")]
    return [Asked(f"dynamodb:{name}", arn, {"dynamodb:LeadingKeys": (_leading(table, params),)})]


def _leading(table: str, params: Any) -> str:
    key = KEYS[table]
    for field in ("Key", "Item"):
        if field in params:
            return params[field][key]["S"]
    value = re.search(rf"#{key} = (:\w+)", params["KeyConditionExpression"])
    assert value is not None
    return params["ExpressionAttributeValues"][value[1]]["S"]


def _s3(name: str, params: Any) -> list[Asked]:
    action = f"s3:{_SAME.get(name, name)}"
    if name == "ListObjectsV2":
        return [Asked(action, OBJECTS, {"s3:prefix": params.get("Prefix", "")})]
    if name == "DeleteObjects":
        return [Asked(action, f"{OBJECTS}/{o['Key']}") for o in params["Delete"]["Objects"]]
    return [Asked(action, f"{OBJECTS}/{params['Key']}")]


def _steps(name: str, params: Any) -> Asked:
    machine = f"arn:aws:states:{HERE}:stateMachine:fanfold-dev-run"
    if "executionArn" in params:
        execution = params["executionArn"].rpartition(":")[2]
        return Asked(
            f"states:{name}", f"arn:aws:states:{HERE}:execution:fanfold-dev-run:{execution}"
        )
    return Asked(f"states:{name}", machine)


def _decrypt(key: str, service: str) -> Asked:
    return Asked("kms:Decrypt", key, {"kms:ViaService": f"{service}.{REGION}.amazonaws.com"})


def denial(name: str) -> ClientError:
    code = "403" if name == "HeadObject" else "AccessDenied"
    metadata: Any = {"HTTPStatusCode": 403, "RequestId": "0"}
    error: Any = {"Error": {"Code": code, "Message": "denied"}, "ResponseMetadata": metadata}
    return ClientError(error, name)
