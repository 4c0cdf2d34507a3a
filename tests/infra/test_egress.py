"""The way out: none by default; else one proxy, which alone holds the key of the model API."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aws_cdk import Aws

from benchmarks.idle_price import idle_prices
from fanfold.settings import proxy
from infra.models import model_arns, profile_arns
from infra.settings import CloudSettings
from tests.kit.assembly import ACCOUNT, HERE, REGION, Assembly
from tests.kit.reach import HIDDEN, Reach, open_to_all, plain

if TYPE_CHECKING:
    from collections.abc import Callable

ANTHROPIC = {"provider": "anthropic", "egress": '["api.anthropic.com", "pypi.org"]'}
OPEN = {"egress": '["pypi.org", "*.pythonhosted.org"]'}
KINDS = {
    "lite, list": {"profile": "lite", **OPEN},
    "full, list": {"profile": "full", **OPEN},
    "lite, anthropic": ANTHROPIC,
    "full, anthropic": {"profile": "full", **ANTHROPIC},
}
ALL = ("lite, none", "full, none", *KINDS)
USED = {
    "lite": {"bedrock-runtime", "lambda"},
    "full": {"bedrock-runtime", "lambda", "ecr.api", "ecr.dkr", "logs", "states", "xray"},
}
KEY = f"arn:aws:secretsmanager:{HERE}:secret:fanfold-dev-model-key-AbCdEf"
PASS = f"arn:aws:secretsmanager:{HERE}:secret:fanfold-dev-model-pass-AbCdEf"
LINTED = ("network", "egress")
READ = "secretsmanager:GetSecretValue"


@pytest.fixture(scope="module")
def folders(once: Callable[..., Path], assembly: Path, full_assembly: Path) -> dict[str, Path]:
    opened = {kind: once(kind.replace(", ", "-"), **more) for kind, more in KINDS.items()}
    return {"lite, none": assembly, "full, none": full_assembly, **opened}


@pytest.fixture(scope="module")
def assemblies(folders: dict[str, Path]) -> dict[str, Assembly]:
    return {kind: Assembly(folder) for kind, folder in folders.items()}


@pytest.fixture(params=ALL)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def account(kind: str, assemblies: dict[str, Assembly]) -> Assembly:
    return assemblies[kind]


@pytest.fixture
def anthropic(assemblies: dict[str, Assembly]) -> Assembly:
    return assemblies["full, anthropic"]


def test_no_route_leads_out_of_the_subnets_of_workers(account: Assembly) -> None:
    reach = Reach(account)
    subnets, groups = reach.worker_places()
    assert subnets
    assert len(groups) == 2
    for subnet in subnets:
        assert reach.routes_out(subnet) == []
        assert reach.of_type("AWS::EC2::Subnet")[subnet]["MapPublicIpOnLaunch"] is False
    kinds = {r["Type"] for t in account.templates.values() for r in t["Resources"].values()}
    assert not kinds & HIDDEN


def test_workers_reach_endpoints_and_the_proxy_and_nothing_else(
    account: Assembly, kind: str
) -> None:
    reach = Reach(account)
    workers = reach.group_of("Attempts;")
    named = {workers, reach.group_of("answers only")}
    if "none" not in kind:
        named.add(reach.group_of("The way out"))
    assert reach.groups_from(workers) == named
    assert not any({"CidrIp", "CidrIpv6"} & rule.keys() for rule in reach.egress(workers))
    assert reach.egress(reach.group_of("answers only")) == []
    assert reach.ingress(workers) == []


def test_checks_reach_objects_and_nothing_else(account: Assembly) -> None:
    reach = Reach(account)
    checks = reach.group_of("Checks of what agents wrote")
    assert reach.worker_places()[1] == {reach.group_of("Attempts;"), checks}
    assert reach.groups_from(checks) == {checks}
    (rule,) = reach.egress(checks)
    assert "DestinationPrefixListId" in rule
    assert reach.ingress(checks) == []


def test_only_a_deployment_that_says_so_has_a_gateway(account: Assembly, kind: str) -> None:
    gateways = account.of_type("AWS::EC2::InternetGateway")
    assert bool(gateways) is ("none" not in kind)
    assert bool(account.of_type("AWS::ECS::Service")) is ("none" not in kind)


def test_every_service_that_workers_use_has_an_endpoint(account: Assembly, kind: str) -> None:
    used = USED[kind.split(",")[0]] - ({"bedrock-runtime"} if "anthropic" in kind else set())
    endpoints = account.of_type("AWS::EC2::VPCEndpoint").values()
    names = {e["ServiceName"].split(".", 3)[3]: e for e in endpoints}
    assert {n for n, e in names.items() if e["VpcEndpointType"] == "Interface"} == used
    assert {n for n, e in names.items() if e["VpcEndpointType"] == "Gateway"} == {"s3", "dynamodb"}
    workers = Reach(account).worker_places()[0]
    for name, endpoint in names.items():
        if name in used:
            assert {plain(s) for s in endpoint["SubnetIds"]} <= workers
            assert len(endpoint["SubnetIds"]) == len(workers)


def test_every_endpoint_can_be_found_by_its_name(account: Assembly) -> None:
    reach = Reach(account)
    hosts = {"ecr.api": "api.ecr", "ecr.dkr": f"{ACCOUNT}.dkr.ecr"}
    for endpoint in account.of_type("AWS::EC2::VPCEndpoint").values():
        service = endpoint["ServiceName"].split(".", 3)[3]
        assert reach.resolves(f"{hosts.get(service, service)}.{REGION}.amazonaws.com"), service
    bucket = f"fanfold-dev-artifacts-{ACCOUNT}-{REGION}"
    assert reach.resolves(f"{bucket}.s3.{REGION}.amazonaws.com")


@pytest.mark.parametrize(
    "name",
    [
        "c2VjcmV0.attacker.example",
        "attacker.example",
        "lambda.us-west-2.amazonaws.com",
        f"bucket.s3.{REGION}.amazonaws.com.attacker.example",
        f"x.s3-website-{REGION}.amazonaws.com",
        f"xs3.{REGION}.amazonaws.com",
        "pypi.org.attacker.example",
        "c2VjcmV0.pypi.org",
    ],
)
def test_a_question_for_a_name_carries_nothing_out(account: Assembly, name: str) -> None:
    assert not Reach(account).resolves(name)


def test_hosts_beyond_the_proxy_are_found_where_they_are_allowed(
    account: Assembly, kind: str
) -> None:
    reach, opened = Reach(account), "none" not in kind
    assert reach.resolves("pypi.org") is opened
    assert reach.resolves("files.pythonhosted.org") is ("list" in kind)
    assert reach.resolves("api.anthropic.com") is ("anthropic" in kind)
    assert reach.resolves("proxy.fanfold-dev.internal") is opened
    assert reach.resolves(f"secretsmanager.{REGION}.amazonaws.com") is opened
    assert not reach.resolves("proxy.internal")


def test_only_workers_talk_to_the_proxy_and_only_the_proxy_to_the_world(
    account: Assembly, kind: str
) -> None:
    reach = Reach(account)
    groups = reach.of_type("AWS::EC2::SecurityGroup")
    open_ones = {key for key in groups if any(open_to_all(r) for r in reach.egress(key))}
    if "none" in kind:
        assert open_ones == set()
        return
    proxy_group = reach.group_of("The way out")
    assert open_ones == {proxy_group}
    assert {r["FromPort"] for r in reach.egress(proxy_group)} == {80, 443}
    workers = reach.group_of("Attempts;")
    rules = reach.ingress(proxy_group)
    assert {plain(rule["SourceSecurityGroupId"]) for rule in rules} == {workers}
    assert {(rule["FromPort"], rule["ToPort"]) for rule in rules} == {(3128, 3128), (8080, 8080)}
    ((_, service),) = account.of_type("AWS::ECS::Service").items()
    place = service["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert place["AssignPublicIp"] == "ENABLED"
    assert not {plain(s) for s in place["Subnets"]} & reach.worker_places()[0]
    assert [plain(g) for g in place["SecurityGroups"]] == [proxy_group]


def test_the_proxy_lets_through_what_the_setting_names(assemblies: dict[str, Assembly]) -> None:
    for kind, allow in (
        ("lite, list", ("pypi.org", "*.pythonhosted.org")),
        ("lite, anthropic", ("pypi.org",)),
    ):
        (task,) = [
            t
            for t in assemblies[kind].of_type("AWS::ECS::TaskDefinition").values()
            if t["Family"] == "fanfold-dev-proxy"
        ]
        (container,) = task["ContainerDefinitions"]
        told = proxy({e["Name"]: e["Value"] for e in container["Environment"]})
        assert told.allow == allow
        assert bool(told.key_secret) is ("anthropic" in kind)
        assert container["ReadonlyRootFilesystem"]
        assert "Secrets" not in container


def variables(account: Assembly) -> list[dict[str, str]]:
    """Of everything that runs attempts."""
    functions = account.of_type("AWS::Lambda::Function").values()
    inside = [f for f in functions if "VpcConfig" in f and "Environment" in f]
    tasks = account.of_type("AWS::ECS::TaskDefinition").values()
    lists = [t["ContainerDefinitions"][0]["Environment"] for t in tasks if "worker" in t["Family"]]
    return [
        *(f["Environment"]["Variables"] for f in inside),
        *({e["Name"]: e["Value"] for e in each} for each in lists),
    ]


def test_workers_are_told_where_their_model_is(account: Assembly, kind: str) -> None:
    for told in variables(account):
        anthropic = "anthropic" in kind
        assert told["FANFOLD_MODEL_PROVIDER"] == ("anthropic" if anthropic else "bedrock")
        assert (told.get("FANFOLD_MODEL_ROUTING") == "us") is not anthropic
        inside = "fanfold-dev.internal"
        assert (told.get("HTTPS_PROXY") == f"http://proxy.{inside}:3128") is ("none" not in kind)
        assert (told.get("ANTHROPIC_BASE_URL") == f"http://proxy.{inside}:8080") is anthropic
        if "HTTPS_PROXY" in told:
            assert {".amazonaws.com", "169.254.170.2"} <= set(told["NO_PROXY"].split(","))


def test_secrets_are_read_by_whom_they_are_for_alone(anthropic: Assembly) -> None:
    readers = {
        secret: {name for name, role in anthropic.roles.items() if role.may(READ, secret)}
        for secret in (KEY, PASS)
    }
    assert readers == {KEY: {"proxy", "rotate"}, PASS: {"proxy", "grant"}}
    writers = {
        name for name, r in anthropic.roles.items() if r.may("secretsmanager:PutSecretValue", KEY)
    }
    assert writers == {"rotate"}


def test_without_a_key_nobody_reads_secrets_and_nothing_rotates(
    assemblies: dict[str, Assembly],
) -> None:
    for kind in ("full, none", "full, list"):
        roles = assemblies[kind].roles
        assert "rotate" not in roles
        assert not any(r.may(READ, s) for r in roles.values() for s in (KEY, PASS))
        assert not assemblies[kind].of_type("AWS::SecretsManager::Secret")


def test_the_proxy_reads_secrets_and_nothing_else(anthropic: Assembly) -> None:
    assert anthropic.roles["proxy"].actions == {READ, "kms:Decrypt", "kms:GenerateDataKey"}
    through = {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"}
    (key,) = (k for _, k in anthropic.of_type("AWS::KMS::Key"))
    arn = f"arn:aws:kms:{HERE}:key/{key}"
    assert anthropic.roles["proxy"].may("kms:Decrypt", arn, through)
    s3 = {"kms:ViaService": "s3.us-east-1.amazonaws.com"}
    assert not anthropic.roles["proxy"].may("kms:Decrypt", arn, s3)


def test_workers_call_no_model_on_bedrock_when_they_call_the_api(anthropic: Assembly) -> None:
    for name, role in anthropic.roles.items():
        assert not any(action.startswith("bedrock:Invoke") for action in role.actions), name


def test_the_key_is_rotated_by_its_function_and_never_without_being_asked(
    anthropic: Assembly,
) -> None:
    ((_, schedule),) = anthropic.of_type("AWS::SecretsManager::RotationSchedule").items()
    assert schedule["RotateImmediatelyOnUpdate"] is False
    assert schedule["RotationRules"]["AutomaticallyAfterDays"] == 90
    callers = [
        p
        for p in anthropic.of_type("AWS::Lambda::Permission").values()
        if p["Principal"] == "secretsmanager.amazonaws.com"
    ]
    assert [c["SourceAccount"] for c in callers] == [ACCOUNT]


def test_no_template_holds_a_secret(anthropic: Assembly) -> None:
    secrets = anthropic.of_type("AWS::SecretsManager::Secret").values()
    assert len(secrets) == 2
    for secret in secrets:
        assert "SecretString" not in secret
        assert secret["KmsKeyId"].startswith("arn:aws:kms:")
    assert "sk-ant" not in json.dumps(anthropic.templates)


def test_the_proxy_costs_about_eleven_dollars_a_month(folders: dict[str, Path]) -> None:
    def total(kind: str) -> float:
        return sum(price for _, price in idle_prices(folders[kind]).values())

    assert 10 < total("lite, list") - total("lite, none") < 13


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"provider": "anthropic"}, "add 'api.anthropic.com' to `egress`"),
        ({"provider": "anthropic", "egress": ("pypi.org",)}, "add 'api.anthropic.com'"),
        ({"egress": ("https://pypi.org",)}, r"egress\[0\]|egress\[\.\.\.\]"),
        ({"egress": ("pypi.org:22",)}, "egress"),
        ({"egress": ("*",)}, "egress"),
        ({"egress": ("0.0.0.0/0",)}, "egress"),
        ({"routing": "apac"}, "name them in `model_regions`"),
        ({"models": ()}, "models"),
    ],
)
def test_what_cannot_be_deployed_is_refused_with_its_mend(
    given: dict[str, object], says: str
) -> None:
    with pytest.raises(msgspec.ValidationError, match=says):
        msgspec.convert(given, CloudSettings)


@pytest.mark.parametrize(
    ("routing", "more", "profiles", "models"),
    [
        (
            "eu",
            {"model_regions": ("eu-west-1", "eu-north-1")},
            ["eu."],
            ["eu-west-1", "eu-north-1"],
        ),
        ("jp", {}, ["jp."], ["ap-northeast-1", "ap-northeast-3"]),
        ("global", {}, ["global."], ["${Region}", ""]),
        ("none", {}, [], ["${Region}"]),
    ],
)
def test_models_are_named_in_every_region_that_the_profile_routes_to(
    routing: str, more: dict[str, object], profiles: list[str], models: list[str]
) -> None:
    ids = ("anthropic.one", "anthropic.two")
    settings = msgspec.convert({"routing": routing, "models": ids, **more}, CloudSettings)
    found = [arn.rpartition("/")[2] for arn in profile_arns(settings)]
    assert found == [prefix + model for prefix in profiles for model in ids]
    plain_arns = [arn.replace(Aws.REGION, "${Region}") for arn in model_arns(settings)]
    assert plain_arns == [
        f"arn:aws:bedrock:{region}::foundation-model/{model}" for model in ids for region in models
    ]


def everything(account: Assembly, kind: str) -> list[dict[str, Any]]:
    return list(account.of_type(kind).values())


def test_whatever_is_stored_is_encrypted_kept_and_can_be_had_back(anthropic: Assembly) -> None:
    tables = everything(anthropic, "AWS::DynamoDB::Table")
    assert len(tables) == 3
    for table in tables:
        assert table["SSESpecification"]["KMSMasterKeyId"] == anthropic.key_arn
        assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
        assert table["DeletionProtectionEnabled"] is True
    assert all(queue["SqsManagedSseEnabled"] for queue in everything(anthropic, "AWS::SQS::Queue"))
    assert all(
        topic["KmsMasterKeyId"] == anthropic.key_arn
        for topic in everything(anthropic, "AWS::SNS::Topic")
    )
    assert all(key["EnableKeyRotation"] for key in everything(anthropic, "AWS::KMS::Key"))


def test_every_log_forgets_and_every_function_has_one_of_its_own(anthropic: Assembly) -> None:
    logs = everything(anthropic, "AWS::Logs::LogGroup")
    assert logs
    assert {log.get("RetentionInDays") for log in logs} == {90}
    names = {log["LogGroupName"] for log in logs}
    functions = everything(anthropic, "AWS::Lambda::Function")
    assert {f["LoggingConfig"]["LogGroup"] for f in functions} <= names
    for task in everything(anthropic, "AWS::ECS::TaskDefinition"):
        (container,) = task["ContainerDefinitions"]
        assert container["LogConfiguration"]["Options"]["awslogs-group"] in names


@pytest.mark.parametrize(
    ("kind", "policy"),
    [
        ("AWS::S3::Bucket", "AWS::S3::BucketPolicy"),
        ("AWS::SQS::Queue", "AWS::SQS::QueuePolicy"),
        ("AWS::SNS::Topic", "AWS::SNS::TopicPolicy"),
    ],
)
def test_nothing_is_reached_without_tls(anthropic: Assembly, kind: str, policy: str) -> None:
    plain_http = {"Bool": {"aws:SecureTransport": "false"}}
    policies = everything(anthropic, policy)
    assert len(policies) >= len(everything(anthropic, kind)) > 0
    for each in policies:
        statements = each["PolicyDocument"]["Statement"]
        denials = [s for s in statements if s["Effect"] == "Deny"]
        assert any(s["Condition"] == plain_http for s in denials), each
        assert not any(s["Effect"] == "Allow" and s["Principal"] == "*" for s in statements)


def test_the_templates_of_the_way_out_pass_cfn_lint(folders: dict[str, Path]) -> None:
    lint = Path(sys.executable).with_name("cfn-lint")
    stacks = [folders["full, anthropic"] / f"fanfold-dev-{s}.template.json" for s in LINTED]
    done = subprocess.run([lint, "--format", "parseable", *stacks], capture_output=True, text=True)
    assert done.stdout == ""
    assert done.returncode == 0
