"""A worker's rights: keys in the table, the function that is asked, the sessions that follow."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from fanfold.adapters.aws.claim_keys import VALID, DynamoClaimKeys
from fanfold.adapters.aws.clients import Clients
from fanfold.adapters.aws.granted import TRIES, FunctionGrants, GrantedLease
from fanfold.adapters.aws.sessions import PASS_S, SESSION_S, AttemptSessions
from fanfold.adapters.aws.table import Table
from fanfold.errors import (
    AttemptOver,
    ClaimRefused,
    CloudUnavailable,
    FanfoldError,
    LeaseHeld,
    LeaseLost,
)
from fanfold.run.grant import ClaimAttempt, Granted, Request, SessionCredentials
from fanfold.run.model_pass import opened
from tests.fakes.memory import ManualClock
from tests.kit.account import COORDINATION, REGION

if TYPE_CHECKING:
    from collections.abc import Callable

BASE = "c0ffee"
ROLE = "arn:aws:iam::123456789012:role/attempt-session"
ASKED = ClaimAttempt("r1", "a.1", "w1:a.1", "key", "secret", 60.0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def keys(clients: Clients, clock: ManualClock) -> DynamoClaimKeys:
    return DynamoClaimKeys(Table(clients.dynamodb, COORDINATION), clock)


def test_only_digests_of_keys_are_kept(keys: DynamoClaimKeys, clients: Clients) -> None:
    drawn = keys.draw("r1", 3, ["a.1", "b.1"])
    assert drawn.keys() == {"a.1", "b.1"}
    assert len(set(drawn.values())) == 2
    assert all(len(key) >= 43 for key in drawn.values())
    assert keys.find("r1", "a.1", drawn["a.1"]).generation == 3
    kept = str(clients.dynamodb.scan(TableName=COORDINATION)["Items"])
    assert not any(key in kept for key in drawn.values())


def test_more_keys_than_a_transaction_holds(keys: DynamoClaimKeys) -> None:
    attempts = [f"{n}.1" for n in range(230)]
    drawn = keys.draw("r1", 1, attempts)
    assert all(keys.find("r1", attempt, drawn[attempt]) for attempt in attempts)


@pytest.mark.parametrize("place", [("r1", "b.1"), ("r2", "a.1")])
def test_a_key_is_no_other_attempts(keys: DynamoClaimKeys, place: tuple[str, str]) -> None:
    key = keys.draw("r1", 1, ["a.1"])["a.1"]
    asks: list[Callable[[], object]] = [
        lambda: keys.find(*place, key),
        lambda: keys.spend(*place, key, "me"),
    ]
    for ask in asks:
        with pytest.raises(ClaimRefused) as refused:
            ask()
        assert key not in str(refused.value)


def test_a_spent_key_stays_with_who_spent_it(keys: DynamoClaimKeys) -> None:
    key = keys.draw("r1", 1, ["a.1"])["a.1"]
    for _ in range(2):
        keys.spend("r1", "a.1", key, "me")
    with pytest.raises(ClaimRefused):
        keys.spend("r1", "a.1", key, "you")
    assert keys.find("r1", "a.1", key).spent_by == "me"


def test_a_key_expires_whether_or_not_the_table_has_forgotten_it(
    keys: DynamoClaimKeys, clock: ManualClock
) -> None:
    key = keys.draw("r1", 1, ["a.1"])["a.1"]
    clock.advance(VALID.total_seconds() + 1)
    with pytest.raises(ClaimRefused):
        keys.find("r1", "a.1", key)


def test_a_session_is_tagged_with_what_it_may_reach(clients: Clients) -> None:
    before = datetime.now(UTC)
    seen: list[dict[str, Any]] = []

    def look(params: dict[str, Any], **_: object) -> None:
        seen.append(params)

    events: Any = clients.identity.meta.events
    events.register("provide-client-params.sts.AssumeRole", look)
    try:
        session = AttemptSessions(clients.identity, ROLE, ManualClock()).open("r1", "1.2.1", BASE)
    finally:
        events.unregister("provide-client-params.sts.AssumeRole", look)
    (asked,) = seen
    tags = {tag["Key"]: tag["Value"] for tag in asked["Tags"]}
    assert tags == {"run": "r1", "attempt": "1.2.1", "base": BASE}
    assert asked["RoleArn"] == ROLE
    assert session.model_pass == ""
    assert session.expires - before <= timedelta(seconds=SESSION_S + 5) <= timedelta(hours=1)


def test_a_session_comes_with_a_pass_where_passes_are_sealed(
    clients: Clients, clock: ManualClock
) -> None:
    sessions = AttemptSessions(clients.identity, ROLE, clock, lambda: "seal")
    given = sessions.open("r1", "1.2.1", BASE)
    now = clock.now().timestamp()
    assert opened(given.model_pass, "seal", now) == ("r1", "1.2.1", int(now) + PASS_S)
    assert opened(given.model_pass, "another", now) is None
    assert given.model_pass not in repr(given)


class Function:
    """A Lambda client whose function answers, or ends with one error after the other."""

    def __init__(self, *errors: str) -> None:
        self.errors, self.asked = list(errors), list[Request]()

    def invoke(self, **request: Any) -> Any:
        self.asked.append(msgspec.json.decode(request["Payload"], type=Request))
        if self.errors:
            told = {"errorType": self.errors.pop(0), "errorMessage": "said no"}
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(msgspec.json.encode(told))}
        given = SessionCredentials("id", "key", "token", datetime(2099, 1, 1, tzinfo=UTC))
        wants = getattr(self.asked[-1], "credentials", True)
        granted = Granted(len(self.asked), given if wants else None)
        return {"Payload": io.BytesIO(msgspec.json.encode(granted))}


@pytest.mark.parametrize("kind", [AttemptOver, ClaimRefused, LeaseHeld, LeaseLost])
def test_a_refusal_is_the_error_that_grant_ended_with(
    kind: type[FanfoldError], clock: ManualClock
) -> None:
    function = Function(kind.__name__)
    with pytest.raises(kind):
        FunctionGrants(function, "grant", clock)(ASKED)
    assert len(function.asked) == 1


def test_any_other_end_is_tried_again_and_asks_the_same(clock: ManualClock) -> None:
    function = Function("CloudUnavailable", "Sandbox.Timedout")
    assert FunctionGrants(function, "grant", clock)(ASKED).epoch == 3
    assert function.asked == [ASKED] * 3


def test_a_function_that_always_fails_is_unavailable(clock: ManualClock) -> None:
    function = Function(*["KeyError"] * TRIES)
    with pytest.raises(CloudUnavailable, match=r"said no \(KeyError\)"):
        FunctionGrants(function, "grant", clock)(ASKED)


def lease_from(function: Function, clock: ManualClock) -> GrantedLease:
    grants = FunctionGrants(function, "grant", clock)
    return GrantedLease(grants, run_id="r1", attempt="a.1", key="key", lease="r1/a.1")


def test_each_process_has_a_secret_of_its_own(clock: ManualClock) -> None:
    function = Function()
    for _ in range(2):
        lease_from(function, clock).acquire("r1/a.1", "w1:a.1", 60.0)
    first, second = function.asked
    assert first.secret != second.secret
    assert len(first.secret) >= 43


def test_a_lease_is_the_attempts_own_alone(clock: ManualClock) -> None:
    lease = lease_from(Function(), clock)
    asks: list[Callable[[], object]] = [
        lambda: lease.acquire("r1/b.1", "w1:b.1", 60.0),
        lambda: lease.renew("r1/b.1", "w1:b.1", 60.0),
        lambda: lease.release("r1/b.1", "w1:b.1"),
        lambda: lease.holder("r1/b.1"),
    ]
    for ask in asks:
        with pytest.raises(FanfoldError, match=r"may lease 'r1/a\.1', not 'r1/b\.1'"):
            ask()


def test_a_lost_lease_is_somebody_elses_and_not_released(clock: ManualClock) -> None:
    function = Function()
    lease = lease_from(function, clock)
    lease.acquire("r1/a.1", "w1:a.1", 60.0)
    assert lease.holder("r1/a.1") == "w1:a.1"
    function.errors.append("LeaseLost")
    with pytest.raises(LeaseLost):
        lease.renew("r1/a.1", "w1:a.1", 60.0)
    lease.release("r1/a.1", "w1:a.1")
    assert lease.holder("r1/a.1") not in {None, "w1:a.1"}
    assert len(function.asked) == 2


def test_released_rights_are_not_renewed(clock: ManualClock) -> None:
    lease = lease_from(Function(), clock)
    lease.acquire("r1/a.1", "w1:a.1", 60.0)
    lease.credentials()
    lease.release("r1/a.1", "w1:a.1")
    assert lease.holder("r1/a.1") is None
    with pytest.raises(LeaseLost):
        lease.credentials()


class Given:
    """Credentials that hold for so many minutes each; there are no more after them."""

    def __init__(self, *minutes: float) -> None:
        self.minutes, self.asked = list(minutes), 0

    def __call__(self) -> SessionCredentials:
        self.asked += 1
        if not self.minutes:
            raise LeaseLost("gone")
        until = datetime.now(UTC) + timedelta(minutes=self.minutes.pop(0))
        return SessionCredentials(f"id{self.asked}", "key", f"token{self.asked}", until)


def tokens_of(clients: Clients) -> list[str]:
    """With which session tokens the next requests to DynamoDB are signed."""
    seen: list[str] = []

    def look(request: Any, **_: object) -> None:
        seen.append(request.headers["X-Amz-Security-Token"].decode())

    events: Any = clients.dynamodb.meta.events
    events.register_first("before-send.dynamodb", look)
    return seen


def test_requests_are_signed_with_what_was_given(clients: Clients) -> None:
    given = Given(30)
    own = Clients(region=REGION).with_credentials(given)
    tokens = tokens_of(own)
    own.dynamodb.list_tables()
    own.s3.list_buckets()
    own.dynamodb.list_tables()
    assert tokens == ["token1", "token1"]
    assert given.asked == 1


def test_credentials_are_asked_for_again_before_they_end(clients: Clients) -> None:
    given = Given(9, 60)
    own = Clients(region=REGION).with_credentials(given)
    tokens = tokens_of(own)
    own.dynamodb.list_tables()
    own.dynamodb.list_tables()
    assert tokens == ["token2", "token2"]
    assert given.asked == 2


def test_who_has_lost_the_lease_hears_it_from_the_next_request(clients: Clients) -> None:
    own = Clients(region=REGION).with_credentials(Given(9))
    with pytest.raises(LeaseLost, match="gone"):
        own.dynamodb.list_tables()
