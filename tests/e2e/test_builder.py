"""The builder as its container runs it: a process that makes a layer, which a check then finds."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import msgspec
import pytest
from botocore.config import Config

from fanfold.adapters.aws.artifact_store import S3ArtifactStore
from fanfold.adapters.aws.checks import FunctionChecks
from fanfold.adapters.aws.layers import S3Layers
from fanfold.adapters.git.snapshots import pack_keys, push_snapshot
from fanfold.adapters.git.tree_packs import TreePacks
from fanfold.run.artifacts import run_file
from fanfold.run.events import RunLimits
from fanfold.settings import environment
from fanfold.steps.request import MANIFEST, Request
from tests.conformance.test_checks import Function
from tests.e2e.test_worker import DEPLOYMENT
from tests.fakes.repositories import make_repository
from tests.kit.account import BUCKET, REGION, shared_clients
from tests.kit.served import served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_s3 import S3Client

    from fanfold.adapters.git.repository import GitRepository

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root can run another user's commands"
)

ROOT = Path(__file__).parents[2]
RUN, DIGEST = "5ce7a10000", "d1"
KEY = "sk-" + "not-a-key-" * 3
TOOL = 'printf "#!$PWD/.venv/bin/python\\nimport made\\nprint(made.LOCK)\\n" >.venv/bin/tool'
PREPARE = (
    "python3 -m venv --without-pip .venv",
    "echo \"LOCK = '$(cat uv.lock)'\" >$(echo .venv/lib/python*/site-packages)/made.py",
    f"{TOOL} && chmod 755 .venv/bin/tool && id -u >.venv/who && env >.venv/seen",
)
FILES = {"uv.lock": "one\n", ".gitignore": ".venv\n", "README": "hello\n"}


@pytest.fixture
def disk() -> Iterator[Path]:
    """Open to other users, unlike pytest's own folders."""
    folder = Path(tempfile.mkdtemp(prefix="fanfold-builder-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def address() -> Iterator[dict[str, str]]:
    with served() as variables:
        yield variables


@pytest.fixture
def repository(address: dict[str, str], tmp_path: Path) -> GitRepository:
    return make_repository(tmp_path / "repository", FILES)


@pytest.fixture
def build(
    address: dict[str, str], repository: GitRepository, disk: Path
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the container for a request with these commands."""
    artifacts = S3ArtifactStore(shared_clients().s3, BUCKET)
    base = str(repository.commit_of("HEAD"))
    push_snapshot(repository, base, artifacts)

    def run(*commands: str) -> subprocess.CompletedProcess[str]:
        request = Request(
            run_id=RUN,
            project="demo",
            plan_path="plan.md",
            plan_sha256=hashlib.sha256(b"").hexdigest(),
            base=base,
            base_tree=repository.tree_of(base),
            branch="main",
            author=("A", "a@example.org"),
            limits=RunLimits(cap=1, slice=1),
            prepare=commands,
        )
        artifacts.put(run_file(RUN, MANIFEST), msgspec.json.encode(request))
        told = {
            **{"PATH": environment()["PATH"], "TMPDIR": str(disk), "HOME": str(disk)},
            **address,
            **DEPLOYMENT.environment(),
            "ANTHROPIC_API_KEY": KEY,
            "FANFOLD_BUILDER_RUN_ID": RUN,
            "FANFOLD_BUILDER_GENERATION": "1",
            "FANFOLD_BUILDER_TREE": repository.tree_of(base),
            "FANFOLD_BUILDER_DIGEST": DIGEST,
        }
        command = [sys.executable, "-m", "containers.worker.prepare"]
        return subprocess.run(
            command, cwd=ROOT, env=told, capture_output=True, text=True, check=False
        )

    return run


def layers() -> S3Layers:
    s3 = shared_clients().s3
    return S3Layers(s3, BUCKET, S3ArtifactStore(s3, BUCKET))


def test_what_the_builder_made_works_where_a_check_unpacks_it(
    build: Callable[..., subprocess.CompletedProcess[str]],
    repository: GitRepository,
    address: dict[str, str],
    disk: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built = build(*PREPARE)
    assert built.returncode == 0, built.stderr
    layer = layers().find(DIGEST)
    assert layer is not None
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    s3: S3Client = boto3.client(  # pyright: ignore[reportUnknownMemberType]
        "s3",
        endpoint_url=address["AWS_ENDPOINT_URL"],
        region_name=REGION,
        config=Config(signature_version="s3v4"),
    )
    artifacts = S3ArtifactStore(shared_clients().s3, BUCKET)
    base, home = str(repository.commit_of("HEAD")), f"runs/{RUN}/checks"
    packs = TreePacks(
        repository, artifacts, lambda: pack_keys(artifacts, base, f"runs/{RUN}/git"), home
    )
    checks = FunctionChecks(
        Function(), "check", s3, BUCKET, artifacts, packs, home, lambda _: layer
    )
    look = [".venv/bin/tool", "cat .venv/who", "cat .venv/seen", "git status --porcelain"]
    used, who, seen, status = checks.run(
        repository.tree_of("HEAD"), [(command, 20.0) for command in look]
    )
    assert (used.exit_code, used.output) == (0, "one\n")
    assert int(who.output) > 1 << 20
    assert KEY not in seen.output
    assert "AWS_" not in seen.output
    assert status.output == ""
    assert not list(disk.glob("fanfold-checkout*"))


def test_a_command_that_fails_leaves_its_reason(
    build: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    built = build("echo looking; echo no such tool >&2; exit 3")
    assert built.returncode == 0, built.stderr
    assert layers().find(DIGEST) is None
    failure = layers().failure(DIGEST)
    assert failure is not None
    assert (failure.run_id, failure.generation, failure.code) == (RUN, 1, 3)
    assert failure.output == "looking\nno such tool\n"


def test_a_builder_that_comes_second_makes_nothing(
    build: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    build("mkdir -p .venv")
    made = layers().find(DIGEST)
    assert build("exit 1").returncode == 0
    assert layers().find(DIGEST) == made
    assert layers().failure(DIGEST) is None
