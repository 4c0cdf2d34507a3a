"""What all `Checks` do with commands on a tree, here and by the function that has no rights."""

from __future__ import annotations

import io
import json
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from fanfold.adapters.aws.artifact_store import S3ArtifactStore
from fanfold.adapters.aws.checks import FunctionChecks
from fanfold.adapters.git.snapshots import pack_keys, push_snapshot
from fanfold.adapters.git.tree_packs import TreePacks
from fanfold.adapters.git.workspaces import GitWorkspaces
from fanfold.adapters.local.checks import TreeChecks
from fanfold.adapters.local.sandbox import NoSandbox
from fanfold.errors import CloudError, CloudUnavailable, Stopped
from fanfold.steps.check import KEPT
from functions.check import MARGIN_S, handler
from tests.fakes.repositories import make_repository
from tests.kit.account import BUCKET, REGION, shared_clients
from tests.kit.served import served
from tests.kit.step_functions import Invocation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

    from fanfold.adapters.git.repository import GitRepository
    from fanfold.ports import Checks

KEY = "sk-" + "not-a-key-" * 3
HOME = "runs/r1/git"
PATIENCE_S = 30.0


class Function:
    """The check function; `fails` is what the runtime tells of the next calls instead."""

    def __init__(self) -> None:
        self.timeout_s, self.calls = 840.0, list[dict[str, Any]]()
        self.fails: list[dict[str, str]] = []
        self.done = threading.Event()
        self.done.set()

    def invoke(self, *, FunctionName: str, Payload: bytes) -> Any:  # noqa: N803
        self.calls.append(json.loads(Payload))
        if self.fails:
            return {"FunctionError": "Unhandled", "Payload": _body(self.fails.pop(0))}
        self.done.clear()
        try:
            told = handler(self.calls[-1], Invocation("check", self.timeout_s))  # pyright: ignore[reportArgumentType]
        finally:
            self.done.set()
        return {"Payload": _body(told)}


def _body(value: Any) -> io.BytesIO:
    return io.BytesIO(json.dumps(value).encode())


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    files = {"a.txt": "old\n", "run*": "#!/bin/sh\necho ran\n"}
    return make_repository(tmp_path / "repo", files)


@pytest.fixture
def function() -> Function:
    return Function()


@pytest.fixture
def deployed(repository: GitRepository, function: Function) -> Iterator[FunctionChecks]:
    with (
        served() as address,
        tempfile.TemporaryDirectory() as scratch,
        pytest.MonkeyPatch.context() as patch,
    ):
        Path(scratch).chmod(0o755)
        patch.setattr(tempfile, "tempdir", scratch)
        patch.setenv("ANTHROPIC_API_KEY", KEY)
        clients = shared_clients()
        artifacts = S3ArtifactStore(clients.s3, BUCKET)
        base = repository.commit_of("HEAD")
        push_snapshot(repository, base, artifacts)

        packs = TreePacks(
            repository, artifacts, lambda: pack_keys(artifacts, base, HOME), "runs/r1/attempts/x"
        )
        signer: S3Client = boto3.client(  # pyright: ignore[reportUnknownMemberType]
            "s3",
            endpoint_url=address["AWS_ENDPOINT_URL"],
            region_name=REGION,
            config=Config(signature_version="s3v4"),
        )
        logs = "runs/r1/verify/logs"
        yield FunctionChecks(function, "check", signer, BUCKET, artifacts, packs, logs)
        function.done.wait(PATIENCE_S)
        assert list(Path(scratch).iterdir()) == []


@pytest.fixture(params=["local", "function"])
def checks(request: pytest.FixtureRequest, repository: GitRepository, tmp_path: Path) -> Checks:
    if request.param == "function":
        return request.getfixturevalue("deployed")
    sandbox = NoSandbox({"PATH": os.defpath, "HOME": str(tmp_path)})
    return TreeChecks(GitWorkspaces(repository, tmp_path / "home", sandbox))


def test_commands_see_the_tree_and_share_its_checkout(
    checks: Checks, repository: GitRepository
) -> None:
    tree = repository.replace(repository.tree_of("HEAD"), "a.txt", b"new\n")
    results = checks.run(tree, [("cat a.txt; touch made", 5), ("false", 5), ("ls made; ./run", 5)])
    assert [result.exit_code for result in results] == [0, 1, 0]
    assert [result.output for result in results] == ["new\n", "", "made\nran\n"]


def test_a_tree_starts_fresh(checks: Checks, repository: GitRepository) -> None:
    tree = repository.tree_of("HEAD")
    checks.run(tree, [("echo spoilt >a.txt; mkdir d; chmod 0 d", 5)])
    assert checks.run(tree, [("cat a.txt", 5)])[0].output == "old\n"


def test_late_commands_are_stopped_and_the_next_still_runs(
    checks: Checks, repository: GitRepository
) -> None:
    tree = repository.tree_of("HEAD")
    slow, after = checks.run(tree, [("echo begun; sleep 30", 0.5), ("echo on", 5)])
    assert (slow.timed_out, slow.exit_code, slow.output) == (True, 124, "begun\n")
    assert (after.timed_out, after.output) == (False, "on\n")


def test_no_commands_give_no_results(checks: Checks, repository: GitRepository) -> None:
    assert checks.run(repository.tree_of("HEAD"), []) == []


def test_no_process_outlives_its_command(checks: Checks, repository: GitRepository) -> None:
    with tempfile.NamedTemporaryFile() as mark:
        Path(mark.name).chmod(0o666)
        leave = f"(env -i setsid sh -c 'sleep 1; echo late >>{mark.name}' &) ; echo done"
        if isinstance(checks, TreeChecks):
            leave = leave.replace("env -i ", "")
        assert checks.run(repository.tree_of("HEAD"), [(leave, 5)])[0].output == "done\n"
        time.sleep(1.3)
        assert Path(mark.name).read_bytes() == b""


def test_commands_find_no_key_and_git_knows_the_tree(
    checks: Checks, repository: GitRepository
) -> None:
    tree = repository.tree_of("HEAD")
    told, status = checks.run(tree, [("env", 5), ("git log -1 --format=%an", 5)])
    assert KEY not in told.output
    assert status.output == "fanfold\n"


def test_hidden_files_are_not_there(
    checks: Checks, repository: GitRepository, request: pytest.FixtureRequest
) -> None:
    tree = repository.replace(repository.tree_of("HEAD"), "deep/key.txt", b"hidden-words\n")
    look = "ls -R; cat deep/key.txt; git log -p --all | grep -c hidden-words"
    (told,) = checks.run(tree, [(look, 20)], hide=["deep/**"])
    assert "key.txt" not in told.output.replace("cat: deep/key.txt", "")
    assert told.output.endswith("0\n")
    if isinstance(checks, FunctionChecks):
        packs = request.getfixturevalue("function").calls[0]["packs"]
        assert len(packs) == 1
    assert "deep" in checks.run(tree, [("ls", 5)])[0].output


def test_checks_end_when_they_are_told_to(checks: Checks, repository: GitRepository) -> None:
    begun = time.monotonic()
    with pytest.raises(Stopped):
        checks.run(repository.tree_of("HEAD"), [("sleep 3", 60)], stop=lambda: True)
    assert time.monotonic() - begun < 2.9


def test_what_there_is_no_time_for_is_asked_for_again(
    deployed: FunctionChecks, function: Function, repository: GitRepository
) -> None:
    function.timeout_s = MARGIN_S + 10.0
    heard: list[list[str]] = []
    results = deployed.run(
        repository.tree_of("HEAD"),
        [("echo 1", 8), ("echo 2", 60), ("echo 3", 5)],
        so_far=lambda some: heard.append([r.output for r in some]),
    )
    assert [r.output for r in results] == ["1\n", "2\n", "3\n"]
    assert [len(call["commands"]) for call in function.calls] == [3, 2]
    assert heard == [["1\n"]]


def test_a_command_has_no_more_time_than_its_place(
    deployed: FunctionChecks, function: Function, repository: GitRepository
) -> None:
    function.timeout_s = MARGIN_S + 1.0
    (late,) = deployed.run(repository.tree_of("HEAD"), [("sleep 20", 600)])
    assert late.timed_out
    assert late.duration_s < 5


def test_a_command_that_ends_its_place_is_red_and_the_others_are_not(
    deployed: FunctionChecks, function: Function, repository: GitRepository
) -> None:
    gone = {"errorType": "Runtime.ExitError", "errorMessage": "signal: killed"}
    function.fails = [gone, gone]
    first, second = deployed.run(repository.tree_of("HEAD"), [("eat", 5), ("echo on", 5)])
    assert (first.exit_code, first.timed_out) == (137, False)
    assert "signal: killed" in first.output
    assert second.output == "on\n"


@pytest.mark.parametrize(
    ("kind", "error"), [("CloudUnavailable", CloudUnavailable), ("ArtifactCorrupt", CloudError)]
)
def test_a_function_that_fails_by_itself_blames_no_command(
    deployed: FunctionChecks,
    function: Function,
    repository: GitRepository,
    kind: str,
    error: type[CloudError],
) -> None:
    function.fails = [{"errorType": kind, "errorMessage": "no answer"}]
    with pytest.raises(error, match="no answer"):
        deployed.run(repository.tree_of("HEAD"), [("true", 5)])


def test_a_long_output_keeps_its_end(deployed: FunctionChecks, repository: GitRepository) -> None:
    (result,) = deployed.run(repository.tree_of("HEAD"), [("yes | head -c 500000; echo last", 20)])
    assert len(result.output) == KEPT
    assert result.output.endswith("y\nlast\n")


def test_no_error_shows_a_signed_address(
    deployed: FunctionChecks, function: Function, repository: GitRepository
) -> None:
    deployed.run(repository.tree_of("HEAD"), [("true", 5)])
    order = function.calls[0]
    order["packs"] = [[url.replace("snapshots", "elsewhere") for url in order["packs"][0]]]
    with pytest.raises(CloudError, match="HTTP 404") as raised:
        handler(order, Invocation("check"))  # pyright: ignore[reportArgumentType]
    assert "Signature" not in str(raised.value)
