"""What a function's zip holds: code for its processor, without the command line's packages."""

from __future__ import annotations

import shutil
import struct
from typing import TYPE_CHECKING

import pytest

from infra.bundle import (
    CONTROL_UNUSED,
    ROOT,
    SOURCES,
    STEP_UNUSED,
    UNUSED,
    bundle,
    sources_only,
)

if TYPE_CHECKING:
    from pathlib import Path

    from infra.bundle import Bundle

LARGEST_MB = 250
"""What Lambda takes of an unpacked zip."""
ARM64 = 183
"""`e_machine` of AArch64 in an ELF header."""


def made(omit: tuple[str, ...]) -> Bundle:
    try:
        return bundle(ROOT, omit)
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def control() -> Bundle:
    return made(CONTROL_UNUSED)


def packages(bundle: Bundle) -> set[str]:
    return {path.name for path in bundle.folder.iterdir()}


def test_every_compiled_module_is_for_arm64(control: Bundle) -> None:
    modules = list(control.folder.rglob("*.so"))
    assert modules
    for module in modules:
        with module.open("rb") as file:
            header = file.read(20)
        assert header[:4] == b"\x7fELF"
        assert struct.unpack_from("<H", header, 18) == (ARM64,)


def test_control_functions_ship_without_the_model_client(control: Bundle) -> None:
    assert {"fanfold", "functions", "boto3", "msgspec", "pygit2"} <= packages(control)
    assert not {"anthropic", "rich", "shtab", "bin", "pytest", "aws_cdk"} & packages(control)


def test_steps_that_look_for_secrets_have_the_catalog_and_no_other_control_function() -> None:
    assert "kingfisher_sdk" in packages(made(STEP_UNUSED))
    assert "kingfisher_sdk" not in packages(made(CONTROL_UNUSED))


def test_the_largest_zip_is_well_below_what_lambda_takes() -> None:
    files = made(UNUSED).folder.rglob("*")
    size = sum(path.stat().st_size for path in files if path.is_file())
    assert size < LARGEST_MB * 1_000_000 / 1.5


def test_roles_lie_where_the_wheel_has_them(control: Bundle) -> None:
    shipped = {path.name for path in (control.folder / "fanfold" / "roles").iterdir()}
    assert shipped == {path.name for path in (ROOT / "roles").iterdir()}


def test_nothing_is_shipped_that_names_this_machine(control: Bundle) -> None:
    machine = str(ROOT).encode()
    for path in control.folder.rglob("*.dist-info/*"):
        assert not path.is_file() or machine not in path.read_bytes()
    assert not list(control.folder.rglob("direct_url.json"))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in SOURCES:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.pyc"))
    return tmp_path


def test_the_digest_follows_the_sources_and_nothing_else(copy: Path) -> None:
    before = sources_only(copy, UNUSED)
    (copy / "fanfold" / "errors.py").touch()
    assert sources_only(copy, UNUSED) == before
    assert sources_only(copy, CONTROL_UNUSED).digest != before.digest
    (copy / "functions" / "more.py").write_text("")
    assert sources_only(copy, UNUSED).digest != before.digest
