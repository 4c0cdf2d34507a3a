"""The worker as its container runs it: a process of its own, between the cloud and a model."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from fanfold.adapters.git.snapshots import push_snapshot
from fanfold.adapters.local.sandbox import NoSandbox
from fanfold.adapters.local.script import Script, Turn, submit, use, write_files
from fanfold.bootstrap_aws import aws
from fanfold.run.artifacts import attempt_file, run_file
from fanfold.run.attempt import Exit
from fanfold.run.attempt_fold import fold_attempt
from fanfold.run.events import CheckSpec, RunLimits, RunOptions, attempt_stream, recorded
from fanfold.run.steps import Dispatch, Merge
from fanfold.settings import Deployment, environment
from fanfold.steps.admit import admit
from fanfold.steps.decide import advance
from fanfold.steps.grant import draw_keys
from fanfold.steps.orphan import reap_attempt
from fanfold.steps.request import Request, requested
from functions.grant import handler
from tests.fakes.messages_api import FakeMessagesApi
from tests.fakes.repositories import make_repository
from tests.fakes.scripted_agents import ScriptedAgents
from tests.kit.account import BUCKET, COORDINATION, EVENTS, PROJECTIONS, shared_clients
from tests.kit.lambda_functions import answering
from tests.kit.served import Waiting, served
from tests.kit.step_functions import Functions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fanfold.bootstrap_aws import Cloud
    from fanfold.run.attempt_fold import AttemptFold
    from fanfold.steps.journal import Journal

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root can run another user's commands"
)

MAIN = Path(__file__).parents[2] / "containers" / "worker" / "main.py"
RUN, ATTEMPT, TOKEN = "5ce7a10000", "1.1.1", "a-token"
KEY = "sk-" + "not-a-key-" * 3
PLAN = "# Track\n\n## Phase 1: A\n- [ ] Task: Write the file\n"
PATIENCE_S = 60.0
DEPLOYMENT = Deployment(
    events_table=EVENTS,
    projections_table=PROJECTIONS,
    coordination_table=COORDINATION,
    artifact_bucket=BUCKET,
    event_bus="bus",
    state_machine="arn:aws:states:us-east-1:123456789012:stateMachine:run",
    role="implementer",
)
GUARDED = msgspec.structs.replace(
    DEPLOYMENT, grant_function="grant", session_role="arn:aws:iam::123456789012:role/attempt"
)
SLOW = {"Write the file": (write_files({"a.txt": "a\n"}), Turn("Let me think.", delay_s=50.0))}
BUSY: dict[Any, Any] = {
    ("Write the file", None, 1): (
        write_files({"a.txt": "a\n"}),
        use("bash", command="echo b >b.txt; sleep 50; echo c >c.txt"),
    ),
    ("Write the file", None, 2): (use("bash", command="echo c >c.txt"), submit("Wrote it.")),
}


class Ward:
    """A run with one attempt in flight, and its container."""

    def __init__(self, cloud: Cloud, variables: dict[str, str], waiting: Waiting) -> None:
        self.cloud, self.variables, self.waiting = cloud, variables, waiting
        self.disk = Path(variables["TMPDIR"])
        self.started: list[subprocess.Popen[str]] = []

    def begin(self, **changed: str | None) -> subprocess.Popen[str]:
        """Start a container; what is changed to None is not in its environment."""
        told = {k: v for k, v in {**self.variables, **changed}.items() if v is not None}
        process = subprocess.Popen(
            [sys.executable, str(MAIN)], env=told, stderr=subprocess.PIPE, text=True
        )
        self.started.append(process)
        return process

    def attempt(self, attempt: str = ATTEMPT) -> AttemptFold:
        store = self.journal().store
        stream = store.read(attempt_stream(RUN, attempt))
        return fold_attempt([r for e in stream if (r := recorded(e)) is not None])

    def journal(self) -> Journal:
        return self.cloud.supervision.journal(RUN)

    def until(self, condition: Any) -> None:
        latest = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < latest, [p.poll() for p in self.started]
            time.sleep(0.05)

    def working(self, answers: int = 1) -> bool:
        """Whether the attempt has written its file, and goes on after so many answers."""
        fold = self.attempt()
        return fold.metrics.tool_calls == 1 and fold.metrics.steps == answers

    def artifact(self, name: str, attempt: str = ATTEMPT) -> str:
        key = attempt_file(RUN, attempt, self.attempt(attempt).epoch, name)
        return self.cloud.supervision.artifacts.get(key).decode()


@pytest.fixture
def disk() -> Iterator[Path]:
    """Open to other users, unlike pytest's own folders."""
    folder = Path(tempfile.mkdtemp(prefix="fanfold-worker-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    with Waiting(TOKEN) as server:
        yield server


@pytest.fixture
def script() -> dict[Any, Any]:
    return {
        "Write the file": (
            use("bash", command="id -u >who; env | sort >seen"),
            write_files({"a.txt": "a\n"}),
            submit("Wrote it."),
        )
    }


@pytest.fixture
def deployment() -> Deployment:
    return DEPLOYMENT


@pytest.fixture
def ward(
    script: dict[Any, Any], deployment: Deployment, disk: Path, waiting: Waiting, tmp_path: Path
) -> Iterator[Ward]:
    with (
        served() as address,
        FakeMessagesApi(default=ScriptedAgents(Script.of(script)), key=KEY) as api,
    ):
        cloud = aws(deployment, shared_clients(), tmp_path / "c", sandbox=NoSandbox(environment()))
        key = _dispatch(cloud, tmp_path)
        variables = {
            **{"PATH": environment()["PATH"], "TMPDIR": str(disk), "HOME": str(disk)},
            **address,
            **deployment.environment(),
            "AWS_ENDPOINT_URL_SFN": waiting.url,
            "ANTHROPIC_API_KEY": KEY,
            "ANTHROPIC_BASE_URL": api.url,
            "PYTHONPATH": str(MAIN.parents[2]),
            "FANFOLD_WORKER_RUN_ID": RUN,
            "FANFOLD_WORKER_ATTEMPT": ATTEMPT,
            "FANFOLD_WORKER_TASK_TOKEN": TOKEN,
            "FANFOLD_WORKER_HEARTBEAT_S": "0.3",
            "FANFOLD_WORKER_KEY": key,
        }
        opened = Ward(cloud, variables, waiting)
        try:
            with answering(Functions({"grant": lambda asked, on: granted(asked, on, cloud)})):
                yield opened
        finally:
            for process in opened.started:
                process.kill()
                process.communicate()


def granted(asked: dict[str, Any], on: Any, cloud: Cloud) -> dict[str, Any]:
    """The function as it is, on the account of this process."""
    return handler(asked, on, cloud)


def _dispatch(cloud: Cloud, folder: Path) -> str:
    """Submitted, admitted, and the first wave in the log; gives the key to its attempt."""
    repository = make_repository(folder / "repository", {"plan.md": PLAN, "README": "hello\n"})
    base = str(repository.commit_of("HEAD"))
    artifacts = cloud.supervision.artifacts
    push_snapshot(repository, base, artifacts)
    request = Request(
        run_id=RUN,
        project="demo",
        plan_path="plan.md",
        plan_sha256=hashlib.sha256(PLAN.encode()).hexdigest(),
        base=base,
        base_tree=repository.tree_of(base),
        branch="main",
        author=("A", "a@example.org"),
        limits=RunLimits(cap=5_000_000),
        options=RunOptions(engine="aws", unit="task"),
        unit_checks=(CheckSpec("grep -q a a.txt"),),
        models={"": "claude-sonnet-5-5"},
    )
    artifacts.put(run_file(RUN, "plan.md"), PLAN.encode())
    artifacts.put(run_file(RUN, "base.json"), msgspec.json.encode(request))
    journal = cloud.supervision.journal(RUN)
    journal.append(requested(request))
    admit(journal, cloud.wiring(RUN))
    step = advance(journal, cloud.supervision.lease)
    return draw_keys(step, journal.state, cloud.supervision)[ATTEMPT]


def test_a_whole_attempt(ward: Ward) -> None:
    process = ward.begin()
    assert process.wait(PATIENCE_S) == 0, process.communicate()[1]
    assert ward.attempt().ended is Exit.SUBMITTED
    assert ward.attempt().cost > 0
    assert ward.waiting.outcomes() == [("success", "")]
    assert '"exit_code":0' in ward.artifact("report.json")
    assert isinstance(advance(ward.journal(), ward.cloud.supervision.lease), Merge)

    patch = ward.artifact("patch.diff")
    (user,) = (line[1:] for line in patch.splitlines() if line[1:].isdigit())
    assert int(user) != 0
    for secret in (KEY, TOKEN, "AWS_", "ANTHROPIC", "FANFOLD_"):
        assert secret not in patch

    spent, ward.waiting.tokens = ward.attempt().cost, {"another-token"}
    again = ward.begin(FANFOLD_WORKER_TASK_TOKEN="another-token")
    assert again.wait(PATIENCE_S) == 0, again.communicate()[1]
    assert ward.attempt().cost == spent
    assert ward.waiting.outcomes() == [("success", "")] * 2


@pytest.mark.parametrize(("script", "answers"), [(SLOW, 1)], ids=["at the model"])
def test_a_container_that_must_end_leaves_what_it_has(ward: Ward, answers: int) -> None:
    process = ward.begin()
    ward.until(lambda: ward.working(answers))
    told_at = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 143, process.communicate()[1]
    assert time.monotonic() - told_at < 10
    assert ward.attempt().ended is Exit.INTERRUPTED
    assert ward.waiting.outcomes() == [("failure", "Worker.SpotInterrupted")]
    assert "+a\n" in ward.artifact("patch.diff")
    assert "a.txt" in ward.artifact("transcript.jsonl")


@pytest.mark.parametrize("script", [BUSY])
def test_a_container_that_must_end_during_a_command_loses_nothing(ward: Ward) -> None:
    process = ward.begin()
    ward.until(lambda: any(ward.disk.rglob("b.txt")))
    told_at = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 143, process.communicate()[1]
    assert time.monotonic() - told_at < 10
    assert ward.attempt().ended is Exit.INTERRUPTED
    assert ward.waiting.outcomes() == [("failure", "Worker.SpotInterrupted")]
    assert "the attempt must end" in ward.artifact("transcript.jsonl")
    assert not any(ward.disk.rglob("b.txt"))

    following = advance(ward.journal(), ward.cloud.supervision.lease)
    assert isinstance(following, Dispatch)
    (going_on,) = (dispatched.attempt for dispatched in following.attempts)
    ward.waiting.tokens = {"another-token"}
    second = ward.begin(FANFOLD_WORKER_ATTEMPT=going_on, FANFOLD_WORKER_TASK_TOKEN="another-token")
    assert second.wait(PATIENCE_S) == 0, second.communicate()[1]
    added = [line for line in ward.artifact("patch.diff", going_on).split("\n") if line[:1] == "+"]
    undisturbed = [each for name in "abc" for each in (f"+++ b/{name}.txt", f"+{name}")]
    assert added == undisturbed


@pytest.mark.parametrize("deployment", [GUARDED])
def test_a_container_works_with_what_its_key_opens(ward: Ward) -> None:
    process = ward.begin()
    assert process.wait(PATIENCE_S) == 0, process.communicate()[1]
    assert ward.attempt().ended is Exit.SUBMITTED
    assert ward.waiting.outcomes() == [("success", "")]
    assert isinstance(advance(ward.journal(), ward.cloud.supervision.lease), Merge)


@pytest.mark.parametrize("deployment", [GUARDED])
@pytest.mark.parametrize("script", [SLOW])
def test_a_spent_key_opens_nothing_for_another_container(ward: Ward) -> None:
    first = ward.begin()
    ward.until(ward.working)
    twin = ward.begin()
    heard = len(ward.waiting.told)
    ward.until(lambda: len(ward.waiting.told) > heard + 12)
    assert (first.poll(), twin.poll()) == (None, None)
    assert ward.attempt().metrics.steps == 1


@pytest.mark.parametrize("deployment", [GUARDED])
def test_a_container_without_the_key_begins_nothing(ward: Ward) -> None:
    process = ward.begin(FANFOLD_WORKER_KEY="k" * 43)
    _, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode != 0
    assert "ClaimRefused" in str(ward.waiting.outcomes())
    assert len(told.splitlines()) == 1
    assert not ward.attempt().claimed


@pytest.mark.parametrize("script", [SLOW])
def test_a_killed_container_is_lost_and_its_twin_spends_nothing(ward: Ward) -> None:
    first = ward.begin()
    ward.until(ward.working)
    twin = ward.begin()
    heard = len(ward.waiting.told)
    ward.until(lambda: len(ward.waiting.told) > heard + 6)
    first.kill()
    first.wait()
    spent = ward.attempt().cost
    assert twin.poll() is None
    reap_attempt(RUN, ATTEMPT, "States.TaskFailed", ward.cloud.supervision)
    assert twin.wait(PATIENCE_S) == 0, twin.communicate()[1]
    assert ward.waiting.outcomes() == [("success", "")]
    assert ward.attempt().cost == spent
    advance(ward.journal(), ward.cloud.supervision.lease)
    (tried,) = ward.journal().refresh().units["1.1"].tries[:1]
    assert (tried.outcome, tried.cost) == (Exit.LOST, spent)


@pytest.mark.parametrize("script", [SLOW])
def test_a_container_that_nobody_waits_for_any_more_stops(ward: Ward) -> None:
    process = ward.begin()
    ward.until(ward.working)
    ward.waiting.tokens.clear()
    assert process.wait(PATIENCE_S) == 143, process.communicate()[1]
    assert ward.attempt().ended is Exit.INTERRUPTED
    assert ward.waiting.outcomes() == []


@pytest.mark.parametrize("script", [SLOW])
def test_a_container_saves_its_work_before_it_is_given_up(ward: Ward) -> None:
    process = ward.begin(FANFOLD_WORKER_TIMEOUT_S="244")
    assert process.wait(PATIENCE_S) == 143, process.communicate()[1]
    assert ward.attempt().ended is Exit.INTERRUPTED
    assert ward.waiting.outcomes() == [("failure", "Worker.TimedOut")]


def test_nothing_is_begun_that_nobody_waits_for(ward: Ward) -> None:
    process = ward.begin(FANFOLD_WORKER_TASK_TOKEN="a-token-of-yesterday")
    assert process.wait(PATIENCE_S) == 143, process.communicate()[1]
    assert not ward.attempt().claimed


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"FANFOLD_WORKER_ATTEMPT": None}, "FANFOLD_WORKER_ATTEMPT"),
        ({"FANFOLD_DEPLOYMENT_ARTIFACT_BUCKET": None}, "FANFOLD_DEPLOYMENT_ARTIFACT_BUCKET"),
        ({"FANFOLD_WORKER_HEARTBEAT_S": "often"}, "heartbeat_s"),
        ({"FANFOLD_WORKER_RUN_ID": "0000000000"}, "0000000000"),
    ],
)
def test_a_wrong_environment_is_one_clear_line(
    ward: Ward, changed: dict[str, str | None], said: str
) -> None:
    process = ward.begin(**changed)
    _, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode in {2, 5}
    (line,) = told.splitlines()
    assert line.startswith("fanfold: ")
    assert said in line
