"""Synthesis as a whole: repeatable, valid, named by its settings, strict about findings."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


def templates(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.template.json")}


def test_a_second_synthesis_gives_the_same_templates(
    assembly: Path, synthesise: Callable[..., Path], tmp_path: Path
) -> None:
    assert templates(assembly)
    assert templates(synthesise(tmp_path)) == templates(assembly)


def test_names_derive_from_project_and_stage(
    synthesise: Callable[..., Path], tmp_path: Path
) -> None:
    folder = synthesise(tmp_path, project="acme", stage="prod")
    (template,) = templates(folder).items()
    assert template[0] == "acme-prod-data.template.json"
    assert b"fanfold-dev" not in template[1]


def test_the_longest_names_fit_their_services(
    synthesise: Callable[..., Path], tmp_path: Path
) -> None:
    folder = synthesise(tmp_path, project="p" * 12, stage="s" * 8)
    template: dict[str, Any] = json.loads(*templates(folder).values())
    names = [
        resource["Properties"]["BucketName"]["Fn::Join"][1][0]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::S3::Bucket"
    ]
    longest_region = "ap-southeast-1"
    assert len(names) == 2
    assert all(len(name) + len(f"123456789012-{longest_region}") <= 63 for name in names)


def test_templates_pass_cfn_lint(assembly: Path) -> None:
    command = [Path(sys.executable).with_name("cfn-lint"), *assembly.glob("*.template.json")]
    lint = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (lint.returncode, lint.stdout) == (0, "")


def test_an_unreasoned_finding_fails_the_synthesis(
    synthesise: Callable[..., Path], tmp_path: Path
) -> None:
    from aws_cdk import Stack
    from aws_cdk import aws_sqs as sqs

    import app

    bad = app.build(str(tmp_path))
    sqs.Queue(Stack(bad, "Bad"), "Open")
    with pytest.raises(RuntimeError, match="AwsSolutions-SQS4"):
        bad.synth()
