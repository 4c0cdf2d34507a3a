"""Settings: what fanfold.toml and the environment may say, and how they are told off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from fanfold.errors import InvalidSettings
from fanfold.run.events import CheckSpec
from fanfold.settings import FILE, Settings, credentials, load

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def _load(root: Path, text: str = "", environ: Mapping[str, str] | None = None) -> Settings:
    (root / FILE).write_text(text, "utf-8")
    return load(root, environ or {})


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    settings = load(tmp_path, {})
    assert settings.cap is None
    assert settings.slice == 1_000_000
    assert settings.run_checks() == ()


def test_checks_are_commands_or_tables(tmp_path: Path) -> None:
    text = '[checks]\nrun = ["make test", {command = "lint", required = false, timeout_s = 5.0}]\n'
    assert _load(tmp_path, text).run_checks() == (
        CheckSpec("make test"),
        CheckSpec("lint", required=False, timeout_s=5.0),
    )


def test_checks_of_the_command_line_come_first(tmp_path: Path) -> None:
    settings = _load(tmp_path, '[checks]\nrun = ["make test"]\n')
    assert settings.run_checks(("true",)) == (CheckSpec("true"),)


@pytest.mark.parametrize("amount", ["2.5", '"2.5"', '"$2.50"'])
def test_a_cap_is_read_to_the_micro_dollar(tmp_path: Path, amount: str) -> None:
    assert _load(tmp_path, f"[limits]\nrun_usd = {amount}\n").cap == 2_500_000


def test_the_environment_comes_on_top(tmp_path: Path) -> None:
    environ = {
        "FANFOLD_LIMITS_RUN_USD": "7",
        "FANFOLD_LIMITS_CONCURRENCY": "3",
        "FANFOLD_MODEL_NAME": "claude-haiku-5-5",
        "FANFOLD_MODEL_TIMEOUT_S": "2.5",
        "FANFOLD_CHECKS_RUN": '["true"]',
    }
    settings = _load(tmp_path, "[limits]\nrun_usd = 1\nsteps = 9\n", environ)
    assert settings.cap == 7_000_000
    assert (settings.limits.concurrency, settings.limits.steps) == (3, 9)
    assert (settings.model.name, settings.model.timeout_s) == ("claude-haiku-5-5", 2.5)
    assert settings.run_checks() == (CheckSpec("true"),)


@pytest.mark.parametrize(
    ("text", "environ", "said"),
    [
        ("[limits]\nrun_usd = 0\n", {}, "limits.run_usd"),
        ("[limits]\nrun_usd = true\n", {}, "run_usd"),
        ("[limits]\nconcurrency = 0\n", {}, "limits.concurrency"),
        ("[limits]\nminutes = -1.0\n", {}, "limits.minutes"),
        ("[limit]\nsteps = 1\n", {}, "limit"),
        ("limits = 3\n", {}, "limits"),
        ("[checks]\nrun = 'make'\n", {}, "checks"),
        ("[model\n", {}, "line 1"),
        ("[model]\nprovider = 'x'\n", {}, "model.provider"),
        ("", {"FANFOLD_LIMITS_STEPS": "many"}, "FANFOLD_LIMITS_STEPS"),
        ("", {"FANFOLD_CHECKS_RUN": "make test"}, "FANFOLD_CHECKS_RUN"),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_place(
    tmp_path: Path, text: str, environ: dict[str, str], said: str
) -> None:
    with pytest.raises(InvalidSettings, match=said):
        _load(tmp_path, text, environ)


def test_every_setting_can_come_from_the_environment(tmp_path: Path) -> None:
    samples = {str: "x", float: "1.5", int: "2", bool: "true"}
    for section in msgspec.structs.fields(Settings):
        kind = section.type
        if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
            continue
        for field in msgspec.structs.fields(kind):
            if field.type in samples and field.name not in ("provider", "routing"):
                key = f"FANFOLD_{section.name}_{field.name}".upper()
                settings = _load(tmp_path, "", {key: samples[field.type]})
                read = getattr(getattr(settings, section.name), field.name)
                assert str(read).lower() == samples[field.type], key


def test_credentials_are_never_shown() -> None:
    key = "sk-" + "x" * 20
    keys = credentials({"ANTHROPIC_API_KEY": key, "ANTHROPIC_BASE_URL": "http://127.0.0.1:1"})
    assert keys
    assert key not in repr(keys)
    assert not credentials({})
