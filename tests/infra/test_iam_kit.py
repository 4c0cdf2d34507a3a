"""The evaluator against what the IAM user guide says of each element, one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.kit.iam import Policies, Request, Unsupported, is_allowed

if TYPE_CHECKING:
    from tests.kit.iam import Statement

ROLE = "arn:aws:iam::123456789012:role/worker"
BUCKET = "arn:aws:s3:::artifacts"


def allow(actions: str = "s3:GetObject", on: str = "*", **more: Any) -> Statement:
    return {"Effect": "Allow", "Action": actions, "Resource": on, **more}


def deny(actions: str, on: str = "*", **more: Any) -> Statement:
    return {**allow(actions, on, **more), "Effect": "Deny"}


def ask(
    *statements: Statement,
    on: str = f"{BUCKET}/runs/r1/a",
    action: str = "s3:GetObject",
    **keys: Any,
) -> bool:
    context = {name.replace("__", ":").replace("_slash_", "/"): v for name, v in keys.items()}
    return is_allowed(Request(ROLE, action, on, context), Policies(statements))


def when(operator: str, key: str, *values: str) -> Statement:
    return allow(Condition={operator: {key: list(values)}})


def test_what_nobody_allows_is_denied() -> None:
    assert not ask()
    assert not ask(allow("s3:PutObject"))


def test_a_denial_wins_over_whatever_allows() -> None:
    assert ask(allow(), deny("s3:PutObject"))
    assert not ask(allow(), deny("s3:Get*"))


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("s3:GetObject", True),
        ("S3:getobject", True),
        ("s3:*", True),
        ("*", True),
        ("s3:Get?bject", True),
        ("s3:GetObjectAcl", False),
        ("s3:Put*", False),
    ],
)
def test_actions_are_patterns_whatever_their_case(pattern: str, fits: bool) -> None:
    assert ask(allow(pattern)) is fits


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        (f"{BUCKET}/runs/r1/*", True),
        (f"{BUCKET}/runs/r?/a", True),
        (f"{BUCKET}/runs/r1", False),
        (f"{BUCKET}/RUNS/r1/a", False),
        (f"{BUCKET}/runs/r1/a.", False),
    ],
)
def test_resources_are_patterns_in_their_own_case(pattern: str, fits: bool) -> None:
    assert ask(allow(on=pattern)) is fits


def test_not_action_and_not_resource_are_all_others() -> None:
    others: Statement = {"Effect": "Allow", "NotAction": "s3:PutObject", "Resource": "*"}
    assert ask(others)
    assert not ask(others, action="s3:PutObject")
    elsewhere: Statement = {"Effect": "Allow", "Action": "*", "NotResource": f"{BUCKET}/runs/*"}
    assert not ask(elsewhere)
    assert ask(elsewhere, on=f"{BUCKET}/deps/x")


@pytest.mark.parametrize("kind", ["boundary", "session", "endpoint"])
def test_every_policy_above_must_allow_too_and_allows_nothing_itself(kind: str) -> None:
    def both(identity: list[Statement], *above: Statement) -> bool:
        policies = replace(Policies(identity), **{kind: list(above)})
        return is_allowed(Request(ROLE, "s3:GetObject", BUCKET), policies)

    assert both([allow()], allow("s3:*"))
    assert not both([allow()], allow("s3:PutObject"))
    assert not both([allow()])
    assert not both([], allow())


def test_a_resource_can_deny_by_its_own_policy() -> None:
    request = Request(ROLE, "s3:GetObject", BUCKET, {"aws:SecureTransport": "false"})
    plain = deny("s3:*", Principal="*", Condition={"Bool": {"aws:SecureTransport": "false"}})
    assert not is_allowed(request, Policies([allow()], resource=[plain]))


@pytest.mark.parametrize(
    ("principal", "fits"),
    [
        ("*", True),
        ({"AWS": "*"}, True),
        ({"AWS": ROLE}, True),
        ({"AWS": ["arn:aws:iam::123456789012:root"]}, True),
        ({"AWS": "arn:aws:iam::999999999999:root"}, False),
        ({"AWS": f"{ROLE}2"}, False),
        ({"Service": "lambda.amazonaws.com"}, False),
    ],
)
def test_principals_are_named_whole_or_by_their_account(principal: Any, fits: bool) -> None:
    assert ask(allow(Principal=principal)) is fits


@pytest.mark.parametrize(
    ("operator", "wanted", "given", "holds"),
    [
        ("StringEquals", "runs/*", "runs/*", True),
        ("StringEquals", "runs/*", "runs/a", False),
        ("StringNotEquals", "a", "b", True),
        ("StringNotEquals", "a", "a", False),
        ("StringLike", "runs/*", "runs/a/b", True),
        ("StringLike", "runs/*", "snapshots/a", False),
        ("StringNotLike", "runs/*", "runs/a", False),
        ("StringEquals", "a", None, False),
        ("StringNotEquals", "a", None, True),
        ("StringEqualsIfExists", "a", None, True),
        ("StringEqualsIfExists", "a", "b", False),
        ("Null", "true", None, True),
        ("Null", "false", None, False),
        ("Null", "false", "x", True),
        ("NumericLessThan", "1.2", "1.1", True),
        ("NumericLessThan", "1.2", "1.2", False),
    ],
)
def test_conditions(operator: str, wanted: str, given: str | None, holds: bool) -> None:
    keys: dict[str, Any] = {} if given is None else {"s3__prefix": given}
    assert ask(when(operator, "s3:prefix", wanted), **keys) is holds


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("arn:aws:ecs:us-east-1:1:cluster/*", True),
        ("arn:aws:ecs:*:1:cluster/workers", True),
        ("arn:aws:ecs:*:cluster/workers", False),
        ("arn:aws:ecs:us-east-1:1:cluster/other", False),
    ],
)
def test_arns_are_compared_part_by_part(pattern: str, fits: bool) -> None:
    cluster = "arn:aws:ecs:us-east-1:1:cluster/workers"
    assert ask(when("ArnEquals", "ecs:cluster", pattern), ecs__cluster=cluster) is fits


@pytest.mark.parametrize(
    ("given", "all_of", "any_of"),
    [
        (("run/r1",), True, True),
        (("run/r1", "run/r2"), False, True),
        (("run/r2",), False, False),
        ((), True, False),
        (None, True, False),
    ],
)
def test_several_values(given: tuple[str, ...] | None, all_of: bool, any_of: bool) -> None:
    keys: dict[str, Any] = {} if given is None else {"dynamodb__LeadingKeys": given}
    for quantifier, holds in (("ForAllValues", all_of), ("ForAnyValue", any_of)):
        statement = when(f"{quantifier}:StringEquals", "dynamodb:LeadingKeys", "run/r1")
        assert ask(statement, **keys) is holds


def test_all_conditions_of_a_statement_must_hold() -> None:
    both = allow(
        Condition={
            "StringEquals": {"s3:prefix": "a", "aws:PrincipalAccount": "1"},
            "Null": {"aws:SourceArn": "true"},
        }
    )
    assert ask(both, s3__prefix="a", aws__PrincipalAccount="1")
    assert not ask(both, s3__prefix="a", aws__PrincipalAccount="2")
    assert not ask(both, s3__prefix="a", aws__PrincipalAccount="1", aws__SourceArn="x")


TAGGED = f"{BUCKET}/runs/${{aws:PrincipalTag/run}}/*"


def test_a_variable_is_the_callers_own_tag() -> None:
    assert ask(allow(on=TAGGED), aws__PrincipalTag_slash_run="r1")
    assert not ask(allow(on=TAGGED), aws__PrincipalTag_slash_run="r2")


def test_nothing_fits_a_variable_without_a_value() -> None:
    assert not ask(allow(on=TAGGED))
    assert not ask(when("StringLike", "s3:prefix", "${aws:PrincipalTag/run}*"), s3__prefix="r1")


def test_a_wildcard_in_a_value_stands_for_itself() -> None:
    assert not ask(allow(on=TAGGED), aws__PrincipalTag_slash_run="*")
    star = when("StringLike", "s3:prefix", "${*}")
    assert ask(star, s3__prefix="*")
    assert not ask(star, s3__prefix="anything")


@pytest.mark.parametrize(
    "statement",
    [
        when("StringEqualsIgnoreCase", "s3:prefix", "a"),
        when("IpAddress", "aws:SourceIp", "10.0.0.0/8"),
        when("ForSomeValues:StringEquals", "s3:prefix", "a"),
        when("StringEquals", "s3:delimiter", "a"),
        allow(NotPrincipal="*"),
        allow(Effect="Maybe"),
        allow(on=f"{BUCKET}/${{aws:username}}/*"),
        allow(Principal={"Federated": "x"}),
    ],
)
def test_what_is_not_known_fails(statement: Statement) -> None:
    with pytest.raises(Unsupported):
        ask(statement, s3__prefix="a")


def test_what_is_not_known_fails_also_where_it_would_not_apply() -> None:
    unknown = deny("s3:PutObject", Condition={"DateLessThan": {"aws:CurrentTime": "2026"}})
    with pytest.raises(Unsupported):
        ask(allow(), unknown)


def test_several_values_need_a_quantifier() -> None:
    with pytest.raises(Unsupported, match="several values"):
        ask(when("StringEquals", "s3:prefix", "a"), s3__prefix=("a", "b"))
