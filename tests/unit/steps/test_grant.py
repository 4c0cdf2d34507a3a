"""Who gets the lease and the rights of an attempt: one process a key, and only while it counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import pytest

from fanfold.errors import AttemptOver, ClaimRefused, FanfoldError, LeaseHeld, LeaseLost
from fanfold.run.attempt import Exit, Purpose
from fanfold.run.events import (
    AttemptClaimed,
    AttemptDispatched,
    AttemptEnded,
    AttemptFinished,
    RunRequested,
    RunResumed,
    attempt_stream,
)
from fanfold.run.grant import (
    ClaimAttempt,
    Granted,
    ReleaseLease,
    RenewLease,
    Request,
    SessionCredentials,
)
from fanfold.run.steps import Dispatch, Merge
from fanfold.steps.decide import lease_of
from fanfold.steps.grant import LONGEST_LEASE_S, draw_keys, grant
from tests.fakes.scripted_world import CENT, admitted, unit
from tests.fakes.supervision import Office, office

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.run.events import EventData
    from fanfold.run.grant import Asked

RUN, COMMIT, TTL = "r1", "c" * 40, 600.0
DISPATCHED = AttemptDispatched("a.1", "a", 1, "docs", Purpose.WORK, "lambda", CENT, "base", 1)
SECRET = "-".join(("my", "own", "secret"))


@dataclass
class Opened:
    """`ports.Sessions` that remember whom they were opened for."""

    told: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])

    def open(self, run_id: str, attempt: str, base: str) -> SessionCredentials:
        self.told.append((run_id, attempt, base))
        return SessionCredentials("id", SECRET, "token", datetime(2026, 1, 1, tzinfo=UTC))


@dataclass
class Desk:
    """A run with the attempt a.1 in flight, one key to it, and a worker of that name."""

    office: Office
    sessions: Opened
    key: str

    def ask(self, kind: type[Asked], worker: str = "w1", **more: object) -> Granted:
        fields = {"run_id": RUN, "attempt": "a.1", "key": self.key, "secret": f"{SECRET} {worker}"}
        asked = msgspec.convert(
            {**fields, "owner": f"{worker}:a.1", "ttl_s": TTL, **more, "ask": _tag(kind)}, Request
        )
        return grant(asked, self.office.supervision, self.sessions)

    def say(self, *events: EventData) -> None:
        journal = self.office.supervision.journal(RUN)
        journal.refresh()
        journal.append(*events)

    def say_of_attempt(self, *events: EventData) -> None:
        stream = attempt_stream(RUN, "a.1")
        self.office.events.append(stream, len(self.office.events.read(stream)), events)

    @property
    def holder(self) -> str | None:
        return self.office.supervision.lease.holder(lease_of(RUN, "a.1"))


def _tag(kind: type[Asked]) -> object:
    return kind.__struct_config__.tag


@pytest.fixture
def desk() -> Desk:
    opened = office()
    journal = opened.supervision.journal(RUN)
    asked = RunRequested(run_id=RUN, plan="plan.md", plan_sha256="0", base=COMMIT)
    journal.append(asked, admitted(unit("a"), unit("b")), DISPATCHED)
    step = Dispatch((DISPATCHED,), fresh=False)
    keys = draw_keys(step, journal.state, opened.supervision)
    return Desk(opened, Opened(), keys["a.1"])


def test_who_brings_the_key_gets_the_lease_and_a_session_of_that_attempt(desk: Desk) -> None:
    granted = desk.ask(ClaimAttempt)
    assert granted.epoch == 1
    assert desk.sessions.told == [(RUN, "a.1", COMMIT)]
    assert desk.holder == "w1:a.1"


def test_a_claim_whose_answer_was_lost_is_made_again(desk: Desk) -> None:
    assert desk.ask(ClaimAttempt).epoch == desk.ask(ClaimAttempt).epoch == 1


def test_a_key_is_used_once(desk: Desk) -> None:
    desk.ask(ClaimAttempt)
    with pytest.raises(LeaseHeld):
        desk.ask(ClaimAttempt, "w2")
    desk.ask(ReleaseLease)
    with pytest.raises(AttemptOver, match="begun before"):
        desk.ask(ClaimAttempt, "w2")
    assert len(desk.sessions.told) == 1
    assert desk.holder is None


@pytest.mark.parametrize("more", [{"key": "guessed"}, {"attempt": "b.1"}, {"run_id": "r2"}])
def test_a_key_opens_its_own_attempt_alone(desk: Desk, more: dict[str, str]) -> None:
    with pytest.raises(ClaimRefused):
        desk.ask(ClaimAttempt, **more)
    assert desk.holder is None
    assert desk.sessions.told == []


def test_a_second_dispatch_gives_another_key_while_the_first_is_still_good(desk: Desk) -> None:
    state = desk.office.supervision.journal(RUN).refresh()
    step = Dispatch((DISPATCHED,), fresh=False)
    again = draw_keys(step, state, desk.office.supervision)["a.1"]
    assert again != desk.key
    desk.ask(ClaimAttempt)
    with pytest.raises(LeaseHeld):
        desk.ask(ClaimAttempt, "w2", key=again)


def test_nothing_but_a_dispatch_draws_keys(desk: Desk) -> None:
    state = desk.office.supervision.journal(RUN).refresh()
    assert draw_keys(Merge(1, "base", ("a.1",)), state, desk.office.supervision) == {}


def test_what_is_finished_cannot_be_claimed(desk: Desk) -> None:
    desk.say(AttemptFinished("a.1", "a", Exit.LOST, 0))
    with pytest.raises(AttemptOver, match="not in flight"):
        desk.ask(ClaimAttempt)
    assert desk.sessions.told == []


def test_what_another_generation_drives_cannot_be_claimed(desk: Desk) -> None:
    desk.say(RunResumed(2))
    with pytest.raises(AttemptOver, match="left behind by generation 2"):
        desk.ask(ClaimAttempt)


def test_what_another_process_has_begun_is_not_begun_again(desk: Desk) -> None:
    """Its lease has expired; whether it is lost is for the run to say."""
    desk.say_of_attempt(AttemptClaimed(1, 1, "w0"))
    with pytest.raises(AttemptOver, match="begun before"):
        desk.ask(ClaimAttempt)
    desk.say_of_attempt(AttemptEnded(Exit.SUBMITTED, 0))
    with pytest.raises(AttemptOver):
        desk.ask(ClaimAttempt)


def test_a_renewal_prolongs_the_lease_and_gives_a_session_when_asked_to(desk: Desk) -> None:
    desk.ask(ClaimAttempt)
    desk.office.clock.advance(TTL - 1)
    assert desk.ask(RenewLease) == Granted()
    desk.office.clock.advance(TTL - 1)
    assert desk.ask(RenewLease, credentials=True).credentials is not None
    assert desk.holder == "w1:a.1"
    assert len(desk.sessions.told) == 2


def test_a_lease_that_has_expired_is_not_renewed(desk: Desk) -> None:
    desk.ask(ClaimAttempt)
    desk.office.clock.advance(TTL + 1)
    with pytest.raises(LeaseLost):
        desk.ask(RenewLease, credentials=True)
    assert len(desk.sessions.told) == 1


@pytest.mark.parametrize(
    "news", [AttemptFinished("a.1", "a", Exit.LOST, 0), RunResumed(2)], ids=["finished", "resumed"]
)
def test_no_session_is_prolonged_for_what_counts_no_more(desk: Desk, news: EventData) -> None:
    desk.ask(ClaimAttempt)
    desk.say(news)
    with pytest.raises(LeaseLost):
        desk.ask(RenewLease, credentials=True)


@pytest.mark.parametrize("kind", [RenewLease, ReleaseLease])
def test_only_who_claimed_may_renew_or_release(desk: Desk, kind: type[Asked]) -> None:
    with pytest.raises(ClaimRefused):
        desk.ask(kind)
    desk.ask(ClaimAttempt)
    with pytest.raises(ClaimRefused):
        desk.ask(kind, "w2", owner="w1:a.1")
    assert desk.holder == "w1:a.1"


def test_nobody_gets_a_lease_for_longer_than_an_hour(desk: Desk) -> None:
    desk.ask(ClaimAttempt, ttl_s=1e9)
    desk.office.clock.advance(LONGEST_LEASE_S + 1)
    assert desk.holder is None


def test_nothing_that_is_asked_or_given_shows_its_secrets(desk: Desk) -> None:
    told: list[object] = [desk.ask(ClaimAttempt), *_errors_of(desk)]
    words = (RUN, "a.1", "w1", desk.key, SECRET)
    told += [ClaimAttempt(*words, 1.0), RenewLease(*words, 1.0), ReleaseLease(*words)]
    for each in told:
        assert SECRET not in repr(each) + str(each)
        assert desk.key not in repr(each) + str(each)


def _errors_of(desk: Desk) -> list[FanfoldError]:
    found: list[FanfoldError] = []
    asks: list[Callable[[], Granted]] = [
        lambda: desk.ask(ClaimAttempt, "w2"),
        lambda: desk.ask(RenewLease, "w2"),
        lambda: desk.ask(ClaimAttempt, attempt="b.1"),
    ]
    for ask in asks:
        with pytest.raises(FanfoldError) as refused:
            ask()
        found.append(refused.value)
    return found


def test_of_two_that_show_a_key_at_once_the_second_finds_it_spent(desk: Desk) -> None:
    """The other spends it, and is gone again, right before this one does."""
    keys = desk.office.supervision.keys
    spend = keys.spend

    def late(run_id: str, attempt: str, key: str, by: str) -> None:
        spend(run_id, attempt, key, "another")
        spend(run_id, attempt, key, by)

    vars(keys)["spend"] = late
    with pytest.raises(AttemptOver, match="begun before"):
        desk.ask(ClaimAttempt)
    assert desk.holder is None
