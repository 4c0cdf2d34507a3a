"""How far each identity reaches, judged request by request on the synthesised policies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from infra.bundle import ROOT
from infra.functions import roles
from tests.kit.assembly import ACCOUNT, HERE, REGION, Assembly, Role
from tests.kit.iam import Policies, Request, applies, check, is_allowed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RUN, ATTEMPT, BASE = "5ce7a10000", "1.2.1", "c0ffee"
SESSION = {
    "aws:PrincipalTag/run": RUN,
    "aws:PrincipalTag/attempt": ATTEMPT,
    "aws:PrincipalTag/base": BASE,
}
BUCKET = f"arn:aws:s3:::fanfold-dev-artifacts-{ACCOUNT}-{REGION}"
TABLE = f"arn:aws:dynamodb:{HERE}:table/fanfold-dev"
EVENTS, COORDINATION = f"{TABLE}-events", f"{TABLE}-coordination"
OWN = f"run/{RUN}/attempt/{ATTEMPT}"
PREFIX = f"runs/{RUN}/attempts/{ATTEMPT}"
VERBS = ("Put", "Delete")
READS = ("dynamodb:GetItem", "dynamodb:Query")
SENDS = ("states:SendTaskSuccess", "states:SendTaskFailure", "states:SendTaskHeartbeat")
MACHINE = f"arn:aws:states:{HERE}:stateMachine:fanfold-dev-run"
GRANT = f"arn:aws:lambda:{HERE}:function:fanfold-dev-grant:live"
CHECK = f"arn:aws:lambda:{HERE}:function:fanfold-dev-check:live"
EVERY_ACTION = (
    *("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"),
    *("dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem"),
    *("dynamodb:DeleteItem", "dynamodb:Scan", "dynamodb:BatchWriteItem", "kms:Decrypt"),
    *("sqs:SendMessage", "sqs:ReceiveMessage", "events:PutEvents", "lambda:InvokeFunction"),
    *("states:StartExecution", "states:SendTaskSuccess", "bedrock:InvokeModel"),
    *("sts:AssumeRole", "iam:PassRole", "secretsmanager:GetSecretValue", "ecs:RunTask"),
)


@pytest.fixture(scope="module", params=["assembly", "full_assembly"])
def account(request: pytest.FixtureRequest) -> Assembly:
    folder: Path = request.getfixturevalue(request.param)
    return Assembly(folder)


@pytest.fixture
def session(account: Assembly) -> Role:
    return account.roles["attempt-session"]


def keyed(*streams: str) -> dict[str, str | tuple[str, ...]]:
    return {**SESSION, "dynamodb:LeadingKeys": streams}


@pytest.mark.parametrize(
    ("action", "key", "yes"),
    [
        ("s3:PutObject", f"{PREFIX}/1/patch.diff", True),
        ("s3:PutObject", f"{PREFIX}/events/ab.json", True),
        ("s3:PutObject", f"runs/{RUN}/warm/ab/1-cd-done", True),
        ("s3:PutObject", f"runs/{RUN}0/warm/ab/1-cd-done", False),
        ("s3:PutObject", f"{PREFIX}2/1/patch.diff", False),
        ("s3:PutObject", f"runs/{RUN}/attempts/1.3.1/1/patch.diff", False),
        ("s3:PutObject", f"runs/other/attempts/{ATTEMPT}/1/patch.diff", False),
        ("s3:PutObject", f"runs/{RUN}/base.json", False),
        ("s3:PutObject", f"runs/{RUN}/git/packs/pack-1.pack", False),
        ("s3:PutObject", f"snapshots/{BASE}.pack", False),
        ("s3:PutObject", "deps/ab.tar.zst", False),
        ("s3:PutObject", f"requests/{RUN}.json", False),
        ("s3:PutObject", f"queue/2026-{RUN}", False),
        ("s3:PutObject", f"waiting/{RUN}", False),
        ("s3:PutObject", "batches/ba7c400000/batch.json", False),
        ("s3:PutObject", "under-way/ba7c400000", False),
        ("s3:GetObject", f"runs/{RUN}/base.json", True),
        ("s3:GetObject", f"runs/{RUN}/events/ab.json", True),
        ("s3:GetObject", f"runs/{RUN}/git/packs/pack-1.pack", True),
        ("s3:GetObject", f"runs/{RUN}/attempts/1.1.1/1/report.json", True),
        ("s3:GetObject", f"snapshots/{BASE}.pack", True),
        ("s3:GetObject", "snapshots/another.pack", False),
        ("s3:GetObject", "deps/ab.tar.zst", True),
        ("s3:GetObject", f"runs/{RUN}0/base.json", False),
        ("s3:GetObject", f"requests/{RUN}.json", False),
        ("s3:GetObject", f"queue/2026-{RUN}", False),
        ("s3:GetObject", f"waiting/{RUN}", False),
        ("s3:GetObject", "batches/ba7c400000/batch.json", False),
        ("s3:DeleteObject", f"{PREFIX}/1/patch.diff", False),
    ],
)
def test_an_attempt_puts_below_its_own_prefix_and_reads_its_run(
    session: Role, action: str, key: str, yes: bool
) -> None:
    assert session.may(action, f"{BUCKET}/{key}", SESSION) is yes


@pytest.mark.parametrize(
    ("prefix", "yes"),
    [
        (f"runs/{RUN}/git/packs/", True),
        (f"snapshots/{BASE}.idx", True),
        (f"runs/{RUN}", False),
        ("runs/", False),
        ("requests/", False),
        ("", False),
        (None, False),
    ],
)
def test_an_attempt_lists_its_run_alone(session: Role, prefix: str | None, yes: bool) -> None:
    context = SESSION if prefix is None else {**SESSION, "s3:prefix": prefix}
    assert session.may("s3:ListBucket", BUCKET, context) is yes


@pytest.mark.parametrize(
    ("stream", "reads", "appends"),
    [
        (OWN, True, True),
        (f"run/{RUN}", True, False),
        (f"run/{RUN}/attempt/1.3.1", False, False),
        (f"{OWN}2", False, False),
        (f"run/other/attempt/{ATTEMPT}", False, False),
        ("run/other", False, False),
    ],
)
def test_an_attempt_appends_to_its_own_stream_and_reads_its_runs(
    session: Role, stream: str, reads: bool, appends: bool
) -> None:
    assert session.may("dynamodb:PutItem", EVENTS, keyed(stream)) is appends
    for action in READS:
        assert session.may(action, EVENTS, keyed(stream)) is reads
    for action in ("dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:Scan"):
        assert not session.may(action, EVENTS, keyed(stream))


def test_no_stream_comes_along_with_the_own_one(session: Role) -> None:
    assert not session.may("dynamodb:PutItem", EVENTS, keyed(OWN, f"run/{RUN}"))
    assert not session.may("dynamodb:PutItem", EVENTS, SESSION)
    assert not session.may("dynamodb:Query", f"{EVENTS}/index/streams", keyed(OWN))


@pytest.mark.parametrize("missing", SESSION)
def test_without_its_tags_a_session_reaches_nothing_of_theirs(session: Role, missing: str) -> None:
    tags = {key: value for key, value in SESSION.items() if key != missing}
    context = {**tags, "dynamodb:LeadingKeys": (OWN,)}
    own = (f"{BUCKET}/{PREFIX}/x", EVENTS)
    if missing.endswith("base"):
        assert not session.may("s3:GetObject", f"{BUCKET}/snapshots/{BASE}.pack", context)
        return
    assert not session.may("s3:PutObject", own[0], context)
    assert not session.may("dynamodb:PutItem", own[1], context)


@pytest.mark.parametrize(
    "resource",
    [
        COORDINATION,
        f"{TABLE}-projections",
        f"arn:aws:sqs:{HERE}:fanfold-dev-requests",
        f"arn:aws:events:{HERE}:event-bus/fanfold-dev",
        f"arn:aws:iam::{ACCOUNT}:role/fanfold-dev-attempt-session",
        f"arn:aws:iam::{ACCOUNT}:role/fanfold-dev-decide",
        MACHINE,
        GRANT,
        "arn:aws:s3:::somebody-elses",
        "arn:aws:s3:::somebody-elses/file",
    ],
)
def test_an_attempt_reaches_nothing_else(session: Role, resource: str) -> None:
    contexts = (keyed(OWN), keyed("lease"), {**SESSION, "s3:prefix": f"runs/{RUN}/"})
    for action in EVERY_ACTION:
        assert not any(session.may(action, resource, context) for context in contexts), action


def test_an_attempts_rights_are_enough_through_the_endpoints(
    account: Assembly, session: Role
) -> None:
    s3, dynamodb = account.endpoint("s3"), account.endpoint("dynamodb")
    own = f"{BUCKET}/{PREFIX}/1/patch.diff"
    assert session.may("s3:PutObject", own, SESSION, endpoint=s3)
    assert session.may("s3:GetObject", f"{BUCKET}/snapshots/{BASE}.pack", SESSION, endpoint=s3)
    listing = {**SESSION, "s3:prefix": f"runs/{RUN}/git/packs/"}
    assert session.may("s3:ListBucket", BUCKET, listing, endpoint=s3)
    for action in (*READS, "dynamodb:PutItem"):
        assert session.may(action, EVENTS, keyed(OWN), endpoint=dynamodb)


def test_an_attempt_may_have_its_checks_run_and_no_other_function(
    account: Assembly, session: Role
) -> None:
    invoke, through = "lambda:InvokeFunction", account.endpoint("lambda")
    assert session.may(invoke, CHECK, SESSION, endpoint=through)
    assert not session.may(invoke, CHECK.removesuffix(":live"), SESSION)
    for function in ("grant", "decide", "answer", "verify", "attempt-docs"):
        assert not session.may(invoke, CHECK.replace("check", function), SESSION)


def test_nobodys_own_credentials_carry_data_out_through_an_endpoint(account: Assembly) -> None:
    stranger = {"aws:PrincipalAccount": "999999999999"}
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    for action, resource, service in (
        ("s3:PutObject", f"{BUCKET}/x", "s3"),
        ("s3:PutObject", "arn:aws:s3:::theirs/x", "s3"),
        ("dynamodb:PutItem", EVENTS, "dynamodb"),
        ("lambda:InvokeFunction", GRANT, "lambda"),
    ):
        for context in (stranger, {"aws:PrincipalAccount": ACCOUNT}):
            theirs = Request("arn:aws:iam::999999999999:role/x", action, resource, context)
            policies = Policies([everything], endpoint=account.endpoint(service))
            own = context["aws:PrincipalAccount"] == ACCOUNT and "theirs" not in resource
            assert is_allowed(theirs, policies) is own


def trusts(role: Role, principal: str, tags: Mapping[str, str]) -> bool:
    keys = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    for action in ("sts:AssumeRole", "sts:TagSession"):
        request = Request(principal, action, role.arn, {"aws:TagKeys": tuple(tags), **keys})
        for statement in role.trust:
            check(statement | {"Resource": "*"})
        if not any(applies(s, request) for s in role.trust if s["Effect"] == "Allow"):
            return False
    return True


def test_only_grant_opens_sessions_and_only_with_all_their_tags(
    account: Assembly, session: Role
) -> None:
    tags = {"run": RUN, "attempt": ATTEMPT, "base": BASE}
    for name, role in account.roles.items():
        opens = role.may("sts:AssumeRole", session.arn) and trusts(session, role.arn, tags)
        assert opens is (name == "grant"), name
    grant = account.roles["grant"].arn
    assert not trusts(session, grant, {"run": RUN, "attempt": ATTEMPT})
    assert not trusts(session, grant, {**tags, "admin": "yes"})
    assert not trusts(session, f"arn:aws:iam::{ACCOUNT}:root", tags)


def workers(account: Assembly) -> dict[str, Role]:
    pattern = re.compile(f"(attempt|worker)-({'|'.join(roles(ROOT))})")
    return {name: role for name, role in account.roles.items() if pattern.fullmatch(name)}


def test_a_worker_itself_calls_its_model_and_grant_and_nothing_else(account: Assembly) -> None:
    own = {
        *("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"),
        *("lambda:InvokeFunction", "logs:CreateLogStream", "logs:PutLogEvents"),
        *("xray:PutTraceSegments", "xray:PutTelemetryRecords"),
    }
    network = {
        *("ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"),
        *("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"),
    }
    assert workers(account)
    for name, role in workers(account).items():
        more = network if name.startswith("attempt-") else set(SENDS)
        assert role.actions <= own | more, name
        assert role.may("lambda:InvokeFunction", GRANT)
        for function in ("decide", "merge", "attempt-docs", "answer", "check"):
            arn = f"arn:aws:lambda:{HERE}:function:fanfold-dev-{function}"
            assert not role.may("lambda:InvokeFunction", arn), name
            assert not role.may("lambda:InvokeFunction", f"{arn}:live"), name


MODEL = "anthropic.claude-sonnet-5-5"
PROFILE = f"arn:aws:bedrock:{HERE}:inference-profile/us.{MODEL}"
BY_PROFILE = {"bedrock:InferenceProfileArn": PROFILE}


@pytest.mark.parametrize(
    ("resource", "context", "yes"),
    [
        (PROFILE, {}, True),
        (f"arn:aws:bedrock:us-west-2::foundation-model/{MODEL}", BY_PROFILE, True),
        (f"arn:aws:bedrock:us-west-2::foundation-model/{MODEL}", {}, False),
        (f"arn:aws:bedrock:eu-west-1::foundation-model/{MODEL}", BY_PROFILE, False),
        ("arn:aws:bedrock:us-west-2::foundation-model/anthropic.other", BY_PROFILE, False),
        (PROFILE.replace("us.", "global."), {}, False),
    ],
)
def test_a_worker_calls_its_model_by_its_profile_where_that_routes(
    account: Assembly, resource: str, context: Mapping[str, str], yes: bool
) -> None:
    endpoint = account.endpoint("bedrock-runtime")
    for role in workers(account).values():
        assert role.may("bedrock:InvokeModel", resource, context, endpoint=endpoint) is yes
    others = account.roles.keys() - workers(account).keys()
    assert not any(account.roles[name].may("bedrock:InvokeModel", PROFILE) for name in others)


def test_a_worker_itself_reaches_no_store(account: Assembly) -> None:
    stores = (EVENTS, COORDINATION, f"{BUCKET}/{PREFIX}/x", BUCKET)
    for name, role in workers(account).items():
        for action in EVERY_ACTION:
            for store in stores:
                assert not role.may(action, store, keyed(OWN)), (name, action, store)


def test_a_container_lets_itself_be_heard_by_its_own_state_machine(account: Assembly) -> None:
    containers = {n: r for n, r in workers(account).items() if n.startswith("worker-")}
    for role in containers.values():
        for action in SENDS:
            assert role.may(action, MACHINE)
            assert role.may(action, f"{MACHINE}/Attempts")
            assert not role.may(action, f"arn:aws:states:{HERE}:stateMachine:another")


def test_grant_holds_leases_and_keys_but_no_slots(account: Assembly) -> None:
    grant = account.roles["grant"]
    for kind in ("lease", "claim"):
        for action in ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"):
            assert grant.may(action, COORDINATION, {"dynamodb:LeadingKeys": (kind,)})
    assert not grant.may("dynamodb:PutItem", COORDINATION, {"dynamodb:LeadingKeys": ("slot",)})
    assert not grant.may("dynamodb:PutItem", EVENTS, {"dynamodb:LeadingKeys": (OWN,)})
    assert not grant.may("s3:PutObject", f"{BUCKET}/{PREFIX}/x")


INSIDE_CHECK = {
    "lambda:SourceFunctionArn": f"arn:aws:lambda:{HERE}:function:fanfold-dev-check",
    "kms:ViaService": f"s3.{REGION}.amazonaws.com",
    "dynamodb:LeadingKeys": (OWN,),
    "s3:prefix": f"runs/{RUN}/",
}
"""What is known of a request that code in the check function makes."""


def log_of(function: str) -> str:
    return f"arn:aws:logs:{HERE}:log-group:/aws/lambda/fanfold-dev-{function}"


def test_the_check_function_can_do_nothing_but_log(account: Assembly) -> None:
    """Of all that anybody of the deployment, or a worker's network, may do to anything of it."""
    check = account.roles["check"]
    everything = set(EVERY_ACTION).union(*(role.actions for role in account.roles.values()))
    targets = {
        *("*", BUCKET, f"{BUCKET}/{PREFIX}/x", EVENTS, COORDINATION, MACHINE, GRANT, PROFILE),
        *(account.key_arn, log_of("decide"), f"arn:aws:sqs:{HERE}:fanfold-dev-requests"),
        *(f"arn:aws:events:{HERE}:event-bus/fanfold-dev", f"arn:aws:ec2:{HERE}:*/*"),
        *(role.arn for role in account.roles.values()),
    }
    allowed = {
        (action, target)
        for action in everything
        for target in {*targets, log_of("check")}
        if check.may(action, target, INSIDE_CHECK)
    }
    assert allowed == {
        (action, log_of("check")) for action in ("logs:CreateLogStream", "logs:PutLogEvents")
    }


def test_what_joins_the_check_function_to_its_network_is_lambda_alone(account: Assembly) -> None:
    check = account.roles["check"]
    joining = {"ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"}
    for action in joining:
        assert check.may(action, f"arn:aws:ec2:{HERE}:*/*")
        assert not check.may(action, f"arn:aws:ec2:{HERE}:*/*", INSIDE_CHECK)
    (statement,) = check.trust
    assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}


def test_who_calls_the_check_function_has_a_tree_to_check(account: Assembly) -> None:
    live = f"arn:aws:lambda:{HERE}:function:fanfold-dev-check:live"
    callers = {n for n, r in account.roles.items() if r.may("lambda:InvokeFunction", live)}
    assert callers == {"attempt-session", "verify"}


def test_every_function_and_every_task_is_its_own_identity(account: Assembly) -> None:
    functions = account.of_type("AWS::Lambda::Function").values()
    by_role = [f["Role"].rpartition("/")[2] for f in functions]
    assert by_role == [f["FunctionName"] for f in functions]
    tasks = account.of_type("AWS::ECS::TaskDefinition").values()
    assert [t["TaskRoleArn"].rpartition("/")[2] for t in tasks] == [t["Family"] for t in tasks]


def test_who_folds_a_run_reaches_what_was_too_large_for_an_item(account: Assembly) -> None:
    payload = f"{BUCKET}/runs/{RUN}/events/ab.json"
    streams: dict[str, str | tuple[str, ...]] = {"dynamodb:LeadingKeys": (f"run/{RUN}",)}
    for name, role in account.roles.items():
        if role.may("dynamodb:Query", EVENTS, streams):
            assert role.may("s3:GetObject", payload), name
            appends = role.may("dynamodb:PutItem", EVENTS, streams)
            assert role.may("s3:PutObject", payload) is appends, name


def test_every_role_has_a_boundary_and_its_name(account: Assembly) -> None:
    nameless = [
        key
        for (_, key), role in account.of_type("AWS::IAM::Role").items()
        if "RoleName" not in role
    ]
    assert [key for key in nameless if "FlowLog" not in key and "Refusals" not in key] == []


def test_who_supervises_runs_sees_to_batches_and_nobody_else_does(account: Assembly) -> None:
    manifest, note = f"{BUCKET}/batches/ba7c400000/report.md", f"{BUCKET}/under-way/ba7c400000"
    supervisors = {"answer", "ask", "decide", "promote", "reap", "start"}
    for action, key in (("s3:PutObject", manifest), *((f"s3:{v}Object", note) for v in VERBS)):
        holders = {name for name, role in account.roles.items() if role.may(action, key)}
        assert holders == supervisors, (action, key)
    readers = {name for name, role in account.roles.items() if role.may("s3:GetObject", manifest)}
    assert readers == supervisors | {"project"}
    assert not any(role.may("s3:DeleteObject", manifest) for role in account.roles.values())
