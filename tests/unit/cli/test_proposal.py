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


@pytest.mark.parametrize(
    ("files", "check", "prepare"),
    [
        ({}, None, []),
        ({"Makefile": "build:\n\tcc\ntest: build\n\t./run\n"}, "make test", []),
        ({"Makefile": "test := 1\n"}, None, []),
        ({"pyproject.toml": PYPROJECT}, "pytest -q", []),
        (
            {"pyproject.toml": PYPROJECT, "uv.lock": ""},
            "uv run --frozen --offline pytest -q",
            ["uv sync --frozen"],
        ),
        (
            {"package.json": '{"scripts": {"test": "vitest"}}', "package-lock.json": "{}"},
            "CI=true npm test",
            ["npm ci"],
        ),
        ({"package.json": '{"scripts": {"test": "echo no test specified"}}'}, None, []),
        ({"package.json": '{"scripts": []}'}, None, []),
        ({"package.json": "["}, None, []),
        ({"pyproject.toml": "["}, None, []),
        ({"go.mod": ""}, "go test ./...", ["go mod download"]),
        ({"Cargo.toml": ""}, "cargo test --offline", ["cargo fetch"]),
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
    assert written["checks"] == ({"run": [check]} if check else {})
    assert len(proposal.because) == bool(check) + len(prepare)
