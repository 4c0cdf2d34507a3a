"""What `fanfold init` proposes for a repository."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from fanfold.cli.proposal import propose

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PYPROJECT = '[project]\nname = "x"\n[dependency-groups]\ndev = ["pytest"]\n'
ACTIONS = """\
jobs:
  test:
    steps:
      - run: pip install .
      - run: echo ${{ matrix.test }}
      - run: python -m unittest discover -s tests
"""
WORKFLOW = "## Commands\n\n```bash\nnpm install\nCI=true npm run test:unit\n```\n"


INTO = ".venv/bin/python -m pip install -q"
TESTED = {"tests/test_x.py": "import pytest\n"}
TEST = "python -m pytest -q"
BUILD = '[build-system]\nrequires = ["x"]\n'


GO = "go test -run '^$' ./..."


@pytest.mark.parametrize(
    ("files", "check", "prepare"),
    [
        ({}, None, []),
        ({"Makefile": "build:\n\tcc\ntest: build\n\t./run\n"}, "make test", []),
        ({"Makefile": "test := 1\n"}, None, []),
        ({"pyproject.toml": PYPROJECT}, TEST, ["python3 -m venv .venv", f"{INTO} pytest"]),
        (
            {"pyproject.toml": BUILD, **TESTED},
            TEST,
            ["python3 -m venv .venv", f"{INTO} -e . pytest"],
        ),
        (
            {"pyproject.toml": f"{BUILD}[project.optional-dependencies]\ntest = []\ndocs = []\n"},
            None,
            ["python3 -m venv .venv", f"{INTO} -e '.[test]'"],
        ),
        (
            {"requirements.txt": "x\n", "requirements-dev.txt": "pytest\n", **TESTED},
            TEST,
            [
                "python3 -m venv .venv",
                f"{INTO} -r requirements-dev.txt -r requirements.txt pytest",
            ],
        ),
        ({"pyproject.toml": PYPROJECT, "uv.lock": ""}, TEST, ["uv sync --frozen"]),
        (
            {"pyproject.toml": PYPROJECT.replace("dev =", "check ="), "uv.lock": ""},
            TEST,
            ["uv sync --frozen --group check"],
        ),
        (
            {"pyproject.toml": PYPROJECT, "poetry.lock": ""},
            TEST,
            ["POETRY_VIRTUALENVS_IN_PROJECT=1 poetry install"],
        ),
        (
            {"package.json": '{"scripts": {"test": "vitest"}}', "package-lock.json": "{}"},
            "CI=true npm test",
            ["npm ci"],
        ),
        (
            {"package.json": '{"scripts": {"test": "vitest"}}', "pnpm-lock.yaml": ""},
            "CI=true pnpm test",
            ["pnpm install --frozen-lockfile"],
        ),
        (
            {"package.json": '{"devDependencies": {"tape": "1"}}'},
            None,
            ["npm install --no-package-lock"],
        ),
        ({"package.json": '{"scripts": {"test": "echo no test specified"}}'}, None, []),
        ({"package.json": '{"scripts": []}'}, None, []),
        ({"package.json": "["}, None, []),
        ({"pyproject.toml": "["}, None, []),
        ({"go.mod": "module x\n"}, "go test ./...", [GO]),
        (
            {"go.mod": "module x\nrequire y v1\n"},
            "go test ./...",
            ["go mod download && go test -run '^$' ./..."],
        ),
        (
            {"Cargo.toml": "x", "Cargo.lock": ""},
            "cargo test --offline",
            ["cargo test --no-run --locked"],
        ),
        (
            {"pom.xml": "", "mvnw": ""},
            "./mvnw -q -B -o test",
            ["./mvnw -q -B -Dmaven.test.failure.ignore=true test"],
        ),
        (
            {"build.gradle.kts": "", "gradlew": ""},
            "./gradlew --no-daemon --offline test",
            ["./gradlew --no-daemon testClasses"],
        ),
        ({".github/workflows/ci.yml": ACTIONS}, "python -m unittest discover -s tests", []),
        ({"conductor/workflow.md": WORKFLOW}, "CI=true npm run test:unit", []),
        ({"conductor/workflow.md": WORKFLOW, "Makefile": "check:\n"}, "make check", []),
    ],
)
def test_what_is_proposed(
    tmp_path: Path, files: Mapping[str, str], check: str | None, prepare: list[str]
) -> None:
    for name, text in files.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    proposal = propose(tmp_path)
    assert proposal.checks == ([check] if check else [])
    assert proposal.prepare == prepare
    written = tomllib.loads(proposal.toml())
    assert written.get("prepare", {}).get("network", []) == proposal.network
    assert bool(proposal.network) == (bool(prepare) and prepare != [GO])
    assert written["checks"] == ({"run": [check]} if check else {})
    assert len(proposal.because) == bool(check) + len(prepare)
