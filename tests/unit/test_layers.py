"""Every package of the repository stands under the import contracts."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
OUTSIDE_THE_CONTRACTS = {"tests", "benchmarks", "tools"}


def test_every_folder_with_code_is_under_the_import_contracts() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    folders = {path.relative_to(ROOT).parts[0] for path in ROOT.glob("[a-z]*/**/*.py")}
    folders -= OUTSIDE_THE_CONTRACTS | {"cdk.out", "dist"}
    assert folders == set(config["tool"]["importlinter"]["root_packages"])
