"""The name of a prepared layer: another one for whatever might make another layer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from fanfold.bootstrap_prepare import Preparing


def name(
    project: str = "p", image: str = "", lock: bytes = b"one", command: str = "uv sync"
) -> str:
    files = {"uv.lock": lock, "src/a.py": b"a"}
    workspace = SimpleNamespace(files=lambda: sorted(files), read=files.__getitem__)

    def opened(tree: str, *, shell: bool, name: str) -> Any:
        assert (tree, shell, name) == ("tree", False, "prepare")
        return workspace

    workspaces: Any = SimpleNamespace(open=opened)
    request: Any = SimpleNamespace(project=project, prepare=(command,))
    layers: Any = None
    return Preparing(request, layers, workspaces, image).naming("tree")


def test_a_layer_is_named_by_all_that_it_depends_on() -> None:
    names = [
        name(),
        name(project="another"),
        name(image="example.com/jdk:21"),
        name(lock=b"two"),
        name(command="uv sync --all-groups"),
    ]
    assert len(set(names)) == len(names)
    assert name() == names[0]
