"""The whole of it: deployed by the CDK's own command line, used by the program's, and gone again.

The account is moto on the loopback, repaired by `tests/kit/loopback`; functions run from the zips
that were uploaded or as the program of their image, containers from the sources of theirs, and the
model is scripted. In the middle of a run another program is deployed over the one it began on.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fanfold.adapters.claude.bedrock import ROUTE
from fanfold.adapters.local.script import Script, submit, use, write_files
from fanfold.run.attempt import Purpose
from fanfold.settings import environment
from infra.bundle import IMAGE_SOURCES, ROOT, SOURCES, bundle
from infra.sources import DEFINITION, Sources
from tests.fakes.messages_api import FakeMessagesApi
from tests.fakes.repositories import make_repository
from tests.fakes.scripted_agents import ScriptedAgents
from tests.fakes.tracks import until
from tests.kit.loopback.clients import REGION, clients_of, variables
from tests.kit.loopback.command_line import NODE, CommandLine
from tests.kit.loopback.images import register_images
from tests.kit.loopback.server import account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fanfold.adapters.git.repository import GitRepository
    from infra.bundle import Bundle
    from tests.fakes.messages_api import Seen
    from tests.kit.loopback.clients import ClientOf

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root can run another user's commands"
)

FANFOLD = "from fanfold.cli.main import main; raise SystemExit(main())"
NAME, NEXT = "fanfold-dev", "fanfold-next"
CHECK = "test ! -e draft.txt && ! env | grep -q AWS_SECRET"
WAITS = 3
PLAN = """\
# Track: Greetings

## Phase 1: Words
- [ ] Task: Write the greeting
- [ ] Task: Conductor - User Manual Verification 'Words' (Protocol in workflow.md)

## Phase 2: Guide
<!-- execution: parallel -->
- [ ] Task: Sign the greeting
- [ ] Task: Document the greeting
"""
NEXT_PLAN = """\
# Track: More

## Phase 1: Guide
- [ ] Task: Document the rest
"""
SCRIPT: dict[Any, Any] = {
    ("Write the greeting", Purpose.WORK, None): (
        use("bash", command="test $(id -u) -ne 0 && echo hello | tee draft.txt >greeting.txt"),
        submit("Wrote it."),
    ),
    ("Write the greeting", Purpose.REPAIR, None): (
        use("bash", command="rm draft.txt"),
        submit("Took the draft away."),
    ),
    "Sign the greeting": (use("bash", command="echo me >signature.txt"), submit("Signed.")),
    "Document the greeting": (
        write_files({"docs/greeting.md": "It says hello.\n"}),
        submit("Told."),
    ),
    "Document the rest": (write_files({"docs/rest.md": "Nothing.\n"}), submit("Told.")),
}
FILES = {
    "greeting.txt": b"hello\n",
    "signature.txt": b"me\n",
    "docs/greeting.md": b"It says hello.\n",
}
BY_VERSION = ("merge", "verify", "write-back", "finish", "attempt-docs")
"""Functions that an execution calls as they were when it began."""


def is_signed(seen: Seen) -> bool:
    """A call of Bedrock's, in its region."""
    scope = f"/{REGION}/bedrock/aws4_request"
    return seen.path.startswith(ROUTE) and scope in seen.headers.get("authorization", "")


def for_this_machine(root: Path, omit: tuple[str, ...]) -> Bundle:
    python = ".".join(platform.python_version_tuple()[:2])
    return bundle(root, omit, platform=f"{platform.machine()}-manylinux_2_28", python=python)


@pytest.fixture
def disk() -> Iterator[Path]:
    """Open to other users, unlike pytest's own folders."""
    with tempfile.TemporaryDirectory(prefix="fanfold-deployed-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def synthesise(disk: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Writes the assembly of a repository, always to the same folder."""
    monkeypatch.setenv("JSII_NODE", str(NODE / "node"))
    import app

    def write(root: Path, **context: str) -> Path:
        sources = Sources(root, for_this_machine)
        folder = disk / "assembly"
        app.build(str(folder), sources=sources, profile="full", **context).synth()
        return folder

    return write


@pytest.fixture
def assembly(synthesise: Callable[..., Path]) -> Path:
    try:
        return synthesise(ROOT)
    except FileNotFoundError as error:  # no uv, as without `make setup`
        pytest.skip(str(error))


@pytest.fixture
def another_program(disk: Path) -> Path:
    """The repository with another name in what its functions log."""
    for name in {*SOURCES, *IMAGE_SOURCES, DEFINITION}:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        (disk / "next" / name).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / name, disk / "next" / name)
    (disk / "next" / ".uv").symlink_to(ROOT / ".uv")
    handling = disk / "next" / "functions" / "handling.py"
    handling.write_text(handling.read_text().replace('service="fanfold"', f'service="{NEXT}"'))
    return disk / "next"


def test_a_deployment_carries_out_a_run_and_goes_again(
    assembly: Path, disk: Path, synthesise: Callable[..., Path], another_program: Path
) -> None:
    model = FakeMessagesApi(default=ScriptedAgents(Script.of(SCRIPT)), signature=is_signed)
    given = {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": model.url}
    with model, account(_made(disk / "account"), given) as address:
        client = clients_of(address)
        cdk = CommandLine(assembly, disk, variables(address))
        cdk.bootstrap()
        register_images(client, assembly)
        cdk.deploy()
        heard = _ear(client)
        repository = make_repository(
            disk / "repository", {"plan.md": PLAN, "next.md": NEXT_PLAN, "README": "hello\n"}
        )
        begun = _fanfold(disk, address, *_run("plan.md"), code=WAITS)["run"]
        register_images(client, synthesise(another_program, run_slots="5"))
        cdk.deploy()
        _fanfold(disk, address, "approve", begun)
        _left_its_result(_fanfold(disk, address, "resume", begun), begun, repository)
        _ran_where_it_belongs(client, begun)
        _ended_on_what_it_began(client, begun)
        later = _fanfold(disk, address, *_run("next.md"))["run"]
        _began_on_the_next(client, later)
        until(lambda: _listed(disk, address) == {begun: "completed", later: "completed"})
        assert _told_of(client, heard) == [
            (begun, "fanfold.run.waiting", True),
            (begun, "fanfold.run.completed", True),
            (later, "fanfold.run.completed", True),
        ]
        _what_is_watched_was_counted(client)
        _nothing_is_held(client)
        cdk.destroy()
        _only_data_is_left(client)


def _run(plan: str) -> tuple[str, ...]:
    return ("run", plan, "--engine=aws", "--unit=task", "--budget=5", f"--check={CHECK}")


def _left_its_result(told: dict[str, Any], run_id: str, repository: GitRepository) -> None:
    """The red check was mended on the way: what the first attempt left over is not in it."""
    assert (told["run"], told["outcome"], told["verified"]) == (run_id, "completed", True)
    result = repository.tree_of(f"fanfold/{run_id}")
    assert result == told["tree"]
    assert {path: repository.read(result, path) for path in FILES} == FILES
    assert [check["ok"] for check in told["checks"]] == [True]


def _ended_on_what_it_began(client: ClientOf, run_id: str) -> None:
    """Though by its end every alias had moved on, and `grant` is called by its alias."""
    assert {name: _versions(client, name, run_id) for name in BY_VERSION} == {
        name: {("1", "fanfold")} for name in BY_VERSION
    }
    assert _versions(client, "grant", run_id) == {("1", "fanfold"), ("2", NEXT)}
    revisions = _revisions(client, run_id)
    assert len(revisions) == 3
    assert set(revisions) == {"1"}


def _began_on_the_next(client: ClientOf, run_id: str) -> None:
    assert {name: _versions(client, name, run_id) for name in BY_VERSION} == {
        name: {("2", NEXT)} for name in BY_VERSION
    }
    definitions = client("ecs").list_task_definitions(status="ACTIVE")["taskDefinitionArns"]
    implementers = [arn for arn in definitions if "worker-implementer" in arn]
    assert [arn.rpartition(":")[2] for arn in implementers] == ["1", "2"]


def _versions(client: ClientOf, function: str, run_id: str) -> set[tuple[str, str]]:
    """Which of the function worked for the run, and what their code calls itself."""
    return {
        (stream.partition("[")[2].partition("]")[0], line["service"])
        for stream, line in _lines(client, function)
        if line.get("correlation_id") == run_id
    }


def _revisions(client: ClientOf, run_id: str) -> list[str]:
    return [task["taskDefinitionArn"].rpartition(":")[2] for task in _tasks(client, run_id)]


def _tasks(client: ClientOf, run_id: str) -> list[Any]:
    ecs, cluster = client("ecs"), f"{NAME}-workers"
    arns = ecs.list_tasks(cluster=cluster)["taskArns"]
    tasks = ecs.describe_tasks(cluster=cluster, tasks=arns, include=["TAGS"])["tasks"]
    return [task for task in tasks if _tags(task)["run_id"] == run_id]


def _tags(task: Any) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in task["tags"]}


def _ear(client: ClientOf) -> str:
    """The address of a queue of what the deployment tells the world."""
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="ear")["QueueUrl"]
    (arn,) = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])[
        "Attributes"
    ].values()
    rule = {"Name": "ear", "EventBusName": NAME}
    client("events").put_rule(**rule, EventPattern='{"source": ["fanfold"]}')
    target = {"Id": "ear", "Arn": arn}
    client("events").put_targets(Rule="ear", EventBusName=NAME, Targets=[target])
    return url


def _told_of(client: ClientOf, url: str) -> list[tuple[str, str, bool]]:
    """Run, what became of it, and whether it was verified; of what was told twice, once."""
    found: dict[str, tuple[str, str, bool]] = {}
    while (
        messages := client("sqs")
        .receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        .get("Messages")
    ):
        for event in (json.loads(message["Body"]) for message in messages):
            detail = event["detail"]
            found[detail["id"]] = (detail["run"], event["detail-type"], detail["verified"])
    return list(found.values())


def _listed(disk: Path, address: str) -> dict[str, str]:
    """As the projector has it from the stream of the events."""
    rows = _fanfold(disk, address, "status", "--engine=aws")["runs"]
    return {row["run"]: row["outcome"] for row in rows}


def _ran_where_it_belongs(client: ClientOf, run_id: str) -> None:
    """What has a shell in containers that could be taken away, tagged; the other did not."""
    for task in _tasks(client, run_id):
        assert task["capacityProviderName"] == "FARGATE_SPOT"
        assert (task["lastStatus"], task["containers"][0]["exitCode"]) == ("STOPPED", 0)
        tags = {"agent": "implementer", "repo": "repository", "run_id": run_id}
        assert _tags(task) == tags
    assert not _lines(client, "attempt-implementer")


def _lines(client: ClientOf, function: str) -> list[tuple[str, Any]]:
    """What a function logged, each line with the name of its stream."""
    group, logs = f"/aws/lambda/{NAME}-{function}", client("logs")
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        return []
    found = logs.filter_log_events(logGroupName=group, limit=10_000)["events"]
    return [
        (event["logStreamName"], json.loads(line))
        for event in found
        for line in event["message"].splitlines()
    ]


def _what_is_watched_was_counted(client: ClientOf) -> None:
    """Once each, by the function that projects events, with the dimensions of the dashboard."""
    counted = [line for _, line in _lines(client, "project") if "_aws" in line]
    attempts = [line for line in counted if "Attempts" in line]
    assert sorted(line["agent"] for line in attempts) == [*2 * ["docs"], *3 * ["implementer"]]
    assert all(line["OutputTokens"] > [0] and line["Dollars"] > [0] for line in attempts)
    assert [line["RunsCompleted"] for line in counted if "RunsCompleted" in line] == 2 * [[1.0]]
    (dashboard,) = client("cloudwatch").list_dashboards()["DashboardEntries"]
    body = client("cloudwatch").get_dashboard(DashboardName=dashboard["DashboardName"])
    for name in ("Attempts", "OutputTokens", "Dollars", "RunsCompleted"):
        assert f'"fanfold","{name}"' in body["DashboardBody"]


def _nothing_is_held(client: ClientOf) -> None:
    """No slot, and no message that nobody could take."""
    until(lambda: not _items(client, "slot"))
    for name in ("requests", "requests-dead", "triggers-dead"):
        url = client("sqs").get_queue_url(QueueName=f"{NAME}-{name}")["QueueUrl"]
        assert "Messages" not in client("sqs").receive_message(QueueUrl=url)


def _items(client: ClientOf, kind: str) -> list[Any]:
    items = client("dynamodb").scan(TableName=f"{NAME}-coordination")["Items"]
    return [item for item in items if item["kind"]["S"] == kind]


def _only_data_is_left(client: ClientOf) -> None:
    assert client("cloudformation").list_stacks(StackStatusFilter=["CREATE_COMPLETE"])
    assert client("lambda").list_functions()["Functions"] == []
    assert client("stepfunctions").list_state_machines()["stateMachines"] == []
    tables = client("dynamodb").list_tables()["TableNames"]
    assert sorted(tables) == [f"{NAME}-{n}" for n in ("coordination", "events", "projections")]


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _fanfold(disk: Path, address: str, *words: str, code: int = 0) -> Any:
    command = [sys.executable, "-c", FANFOLD, *words, "--json"]
    done = subprocess.run(
        command,
        cwd=disk / "repository",
        env={
            "PATH": environment()["PATH"],
            "HOME": str(disk),
            "PYTHONPATH": str(ROOT),
            **variables(address),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)
