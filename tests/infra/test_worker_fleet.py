"""Workers on Fargate, in the profile `full` and once their program is there."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from fanfold.run.offer import LONGEST_CHECK_S
from functions.check import MARGIN_S
from infra.bundle import IMAGE_SOURCES, ROOT, SOURCES, sources_only
from infra.constructs.check_function import TIMEOUT_S
from infra.functions import roles
from infra.sources import DEFINITION, WORKER, Sources
from tests.kit.templates import actions, as_list, load, plain, properties, statements_by_role

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.kit.templates import Resource, Template

DOCKERFILE = "containers/worker/Dockerfile"
PLACES = (*(f"worker-{role}" for role in roles(ROOT)), "builder")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as far as it is deployed, with a worker's program."""
    root = tmp_path_factory.mktemp("repository")
    for name in {*SOURCES, *IMAGE_SOURCES}:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, root / name)
    (root / DEFINITION).parent.mkdir()
    shutil.copy(ROOT / DEFINITION, root / DEFINITION)
    (root / WORKER).touch()
    return root


@pytest.fixture(scope="module")
def template(
    synthesise: Callable[..., Path], repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Template:
    sources = Sources(repository, sources_only)
    folder = synthesise(tmp_path_factory.mktemp("cdk"), sources=sources, profile="full")
    return load(folder, "control")


def supervisor(template: Template) -> list[Resource]:
    return statements_by_role(template)["fanfold-dev-run"]


def test_every_role_has_a_task_that_has_two_minutes_to_save_its_work(template: Template) -> None:
    tasks = properties(template, "AWS::ECS::TaskDefinition")
    assert {t["Family"] for t in tasks} == {f"fanfold-dev-{place}" for place in PLACES}
    for task in tasks:
        (container,) = task["ContainerDefinitions"]
        assert container["Name"] == "worker"
        assert container["StopTimeout"] == 120
        assert container["LinuxParameters"]["Capabilities"] == {"Add": ["SYS_PTRACE"]}
        assert task["RuntimePlatform"]["CpuArchitecture"] == "ARM64"
        assert task["NetworkMode"] == "awsvpc"


def test_a_replaced_task_definition_stays_for_the_runs_that_began_on_it(
    template: Template,
) -> None:
    kinds = [r for r in template["Resources"].values() if r["Type"] == "AWS::ECS::TaskDefinition"]
    assert {r["UpdateReplacePolicy"] for r in kinds} == {"Retain"}


def test_the_cluster_has_spot_and_on_demand(template: Template) -> None:
    (providers,) = properties(template, "AWS::ECS::ClusterCapacityProviderAssociations")
    assert set(providers["CapacityProviders"]) == {"FARGATE", "FARGATE_SPOT"}


def test_the_supervisor_runs_its_own_tasks_in_its_own_cluster_alone(template: Template) -> None:
    for statement in supervisor(template):
        if "ecs:RunTask" in as_list(statement["Action"]):
            families = {plain(r).rpartition("/")[2] for r in as_list(statement["Resource"])}
            assert families == {f"fanfold-dev-{place}:*" for place in PLACES}
            assert "ecs:cluster" in statement["Condition"]["ArnEquals"]


def test_roles_are_passed_to_tasks_alone(template: Template) -> None:
    (statement,) = (s for s in supervisor(template) if "iam:PassRole" in as_list(s["Action"]))
    service = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": service}


def test_the_supervisor_has_what_waiting_for_a_task_takes(template: Template) -> None:
    needed = {"ecs:RunTask", "ecs:StopTask", "ecs:DescribeTasks", "ecs:TagResource"}
    rule = {"events:PutRule", "events:PutTargets", "events:DescribeRule"}
    assert needed | rule <= actions(supervisor(template))


def test_a_task_may_do_what_the_function_of_its_role_may_and_report(
    template: Template,
) -> None:
    found = statements_by_role(template)
    for role in roles(ROOT):
        function = actions(found[f"fanfold-dev-attempt-{role}"])
        more = {f"states:SendTask{word}" for word in ("Failure", "Heartbeat", "Success")}
        assert actions(found[f"fanfold-dev-worker-{role}"]) <= function | more


def test_the_image_is_named_by_what_it_is_built_from(repository: Path) -> None:
    before = Sources(repository, sources_only).image_context()
    assert (before.folder / DOCKERFILE).exists()
    (repository / DOCKERFILE).write_text("FROM scratch\n")
    assert Sources(repository, sources_only).image_context().digest != before.digest


def test_who_prepares_writes_dependencies_and_knows_no_model(template: Template) -> None:
    granted = statements_by_role(template)["fanfold-dev-builder"]
    key = {"kms:Decrypt", "kms:GenerateDataKey"}
    assert actions(granted) == key | {"s3:GetObject", "s3:ListBucket", "s3:PutObject"}
    (written,) = (s for s in granted if "s3:PutObject" in as_list(s["Action"]))
    assert [
        plain(r).rpartition("/")[0].rpartition("/")[2] for r in as_list(written["Resource"])
    ] == ["deps"]
    (task,) = (
        t
        for t in properties(template, "AWS::ECS::TaskDefinition")
        if t["Family"] == "fanfold-dev-builder"
    )
    (container,) = task["ContainerDefinitions"]
    assert container["EntryPoint"] == ["python", "-m", "containers.worker.prepare"]
    told = {each["Name"] for each in container["Environment"]}
    assert not any("MODEL" in name or "ANTHROPIC" in name for name in told)


def test_a_check_has_the_time_that_runs_are_admitted_with() -> None:
    assert LONGEST_CHECK_S == TIMEOUT_S - MARGIN_S


def test_images_are_built_on_the_base_of_the_deployment(
    synthesise: Callable[..., Path], repository: Path, tmp_path: Path
) -> None:
    base = "registry.example.com/tools@sha256:ab"
    sources = Sources(repository, sources_only)
    folder = synthesise(tmp_path / "cdk", sources=sources, profile="full", base_image=base)
    (manifest,) = folder.glob("*-control.assets.json")
    images = json.loads(manifest.read_text())["dockerImages"].values()
    built = {image["source"]["dockerFile"]: image["source"] for image in images}
    assert built.keys() == {DOCKERFILE, "containers/check/Dockerfile"}
    assert {str(source["dockerBuildArgs"]) for source in built.values()} == {str({"BASE": base})}
    outputs = load(folder, "control")["Outputs"]
    told = {key: output["Value"] for key, output in outputs.items() if key.endswith("Image")}
    assert told == {"DeploymentBaseImage": base, "OfferBaseImage": base}
