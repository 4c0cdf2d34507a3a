"""The whole of it: deployed by the CDK's own command line, used by the program's, and gone again.

The account is moto on the loopback, repaired by `tests/kit/loopback`; functions run from the zips
that were uploaded, containers from the sources of their image, and the model is scripted.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fanfold.adapters.claude.bedrock import ROUTE
from fanfold.adapters.local.script import Script, submit, use, write_files
from fanfold.settings import environment
from infra.bundle import ROOT, bundle
from infra.sources import Sources
from tests.fakes.messages_api import FakeMessagesApi
from tests.fakes.repositories import make_repository
from tests.fakes.scripted_agents import ScriptedAgents
from tests.fakes.tracks import until
from tests.kit.loopback.clients import REGION, clients_of, variables
from tests.kit.loopback.command_line import NODE, CommandLine
from tests.kit.loopback.containers import register_images
from tests.kit.loopback.server import account

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.bundle import Bundle
    from tests.fakes.messages_api import Seen
    from tests.kit.loopback.clients import ClientOf

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root can run another user's commands"
)

FANFOLD = "from fanfold.cli.main import main; raise SystemExit(main())"
NAME, UNVERIFIED = "fanfold-dev", 1
PLAN = """\
# Track: Greetings

## Phase 1: Words
- [ ] Task: Write the greeting
- [ ] Task: Document the greeting
"""
SCRIPT: dict[Any, Any] = {
    "Write the greeting": (
        use("bash", command="test $(id -u) -ne 0 && echo hello >greeting.txt"),
        submit("Wrote it."),
    ),
    "Document the greeting": (
        write_files({"docs/greeting.md": "It says hello.\n"}),
        submit("Told."),
    ),
}


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
def assembly(disk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JSII_NODE", str(NODE / "node"))
    import app

    sources = Sources(bundler=for_this_machine)
    try:
        app.build(str(disk / "assembly"), sources=sources, profile="full").synth()
    except FileNotFoundError as error:  # no uv, as without `make setup`
        pytest.skip(str(error))
    return disk / "assembly"


def test_a_deployment_carries_out_a_run_and_goes_again(assembly: Path, disk: Path) -> None:
    model = FakeMessagesApi(default=ScriptedAgents(Script.of(SCRIPT)), signature=is_signed)
    given = {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": model.url}
    with model, account(_made(disk / "account"), assembly, given) as address:
        client = clients_of(address)
        cdk = CommandLine(assembly, disk, variables(address))
        cdk.bootstrap()
        register_images(client, assembly)
        cdk.deploy()
        _a_run_leaves_its_result(client, address, disk)
        cdk.destroy()
        _only_data_is_left(client)


def _a_run_leaves_its_result(client: ClientOf, address: str, disk: Path) -> None:
    repository = make_repository(disk / "repository", {"plan.md": PLAN, "README": "hello\n"})
    words = ("run", "plan.md", "--engine=aws", "--unit=task", "--budget=5")
    told = _fanfold(disk, address, *words, code=UNVERIFIED)
    assert told["outcome"] == "completed"
    result = repository.tree_of(f"fanfold/{told['run']}")
    assert result == told["tree"]
    files = {path: repository.read(result, path) for path in ("greeting.txt", "docs/greeting.md")}
    assert files == {"greeting.txt": b"hello\n", "docs/greeting.md": b"It says hello.\n"}
    _attempts_ran_where_they_belong(client, told["run"])
    until(lambda: _listed(disk, address) == [(told["run"], "completed")])
    _what_is_watched_was_counted(client)
    _nothing_is_held(client)


def _listed(disk: Path, address: str) -> list[tuple[str, str]]:
    """As the projector has it from the stream of the events."""
    rows = _fanfold(disk, address, "status", "--engine=aws")["runs"]
    return [(row["run"], row["outcome"]) for row in rows]


def _attempts_ran_where_they_belong(client: ClientOf, run_id: str) -> None:
    """The one with a shell in a container that could be taken away, tagged; the other did not."""
    arns = client("ecs").list_tasks(cluster=f"{NAME}-workers")["taskArns"]
    (task,) = client("ecs").describe_tasks(cluster=f"{NAME}-workers", tasks=arns, include=["TAGS"])[
        "tasks"
    ]
    assert task["capacityProviderName"] == "FARGATE_SPOT"
    assert (task["lastStatus"], task["containers"][0]["exitCode"]) == ("STOPPED", 0)
    tags = {tag["key"]: tag["value"] for tag in task["tags"]}
    assert tags == {"agent": "implementer", "repo": "repository", "run_id": run_id}
    assert _logged(client, "attempt-docs")
    assert not _logged(client, "attempt-implementer")


def _logged(client: ClientOf, function: str) -> list[dict[str, Any]]:
    group = f"/aws/lambda/{NAME}-{function}"
    found = client("logs").filter_log_events(logGroupName=group)["events"]
    return [json.loads(line) for event in found for line in event["message"].splitlines()]


def _what_is_watched_was_counted(client: ClientOf) -> None:
    """Once each, by the function that projects events, with the dimensions of the dashboard."""
    counted = [line for line in _logged(client, "project") if "_aws" in line]
    attempts = [line for line in counted if "Attempts" in line]
    assert sorted(line["agent"] for line in attempts) == ["docs", "implementer"]
    assert all(line["OutputTokens"] > [0] and line["Dollars"] > [0] for line in attempts)
    assert [line["RunsCompleted"] for line in counted if "RunsCompleted" in line] == [[1.0]]
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
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)
