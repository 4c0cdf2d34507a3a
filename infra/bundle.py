"""What a function's zip holds: locked dependencies for its platform, fanfold, and its handler."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".uv" / "bundles"
PYTHON = "3.13"
PLATFORM = "aarch64-manylinux_2_28"
SOURCES = ("fanfold", "roles", "functions")
IMAGE_SOURCES = (
    *("fanfold", "roles", "containers", "functions"),
    *("pyproject.toml", "uv.lock", "README.md", "LICENSE"),
)
UNUSED = ("rich", "shtab")
"""Dependencies of the command line."""
STEP_UNUSED = (*UNUSED, "anthropic")
"""What a step of a run has no use for beside those; it looks for secrets."""
CONTROL_UNUSED = (*STEP_UNUSED, "kingfisher-secret-scanner")

_EXPORT = ("export", "--frozen", "--no-default-groups", "--extra", "aws", "--no-emit-project")
_NOT_SHIPPED = shutil.ignore_patterns("__pycache__", "*.pyc")


class Bundle(NamedTuple):
    """A folder ready to be zipped; equal digests mean equal contents."""

    folder: Path
    digest: str


class Bundler(Protocol):
    """Makes the bundle of the sources below `root`, without the packages `omit`."""

    def __call__(self, root: Path, omit: tuple[str, ...]) -> Bundle: ...


def bundle(
    root: Path, omit: tuple[str, ...], *, platform: str = PLATFORM, python: str = PYTHON
) -> Bundle:
    """Installs what `uv.lock` names, hashes checked, without Docker; made once per content.

    `platform` is one of uv's; tests that run a bundle here name this machine's and its `python`.
    Raises `subprocess.CalledProcessError` where uv cannot, `FileNotFoundError` where uv is missing.
    """
    uv = _uv(root)
    requirements = _requirements(uv, root, omit)
    recipe = f"{python} {platform}\n{requirements}"
    installed = _made(
        f"dependencies-{hashlib.sha256(recipe.encode()).hexdigest()}",
        lambda folder: _install(uv, requirements, folder, platform, python),
    )

    def assemble(folder: Path) -> None:
        shutil.copytree(installed, folder, copy_function=os.link, dirs_exist_ok=True)
        copy_sources(root, folder)

    digest = _digest(root, recipe)
    return Bundle(_made(digest, assemble), digest)


def sources_only(root: Path, omit: tuple[str, ...]) -> Bundle:
    """The bundle without its dependencies: what tests of the templates need, at once."""
    digest = _digest(root, f"without dependencies, {omit}")
    return Bundle(_made(f"sources-{digest}", lambda folder: copy_sources(root, folder)), digest)


def image_context(root: Path) -> Bundle:
    """What the worker's image is built from: the sources, the lock file, and its own folder."""
    digest = _digest(root, "worker image", IMAGE_SOURCES)

    def assemble(folder: Path) -> None:
        for name in IMAGE_SOURCES:
            if (root / name).is_dir():
                shutil.copytree(root / name, folder / name, ignore=_NOT_SHIPPED)
            else:
                shutil.copy2(root / name, folder / name)

    return Bundle(_made(f"image-{digest}", assemble), digest)


def copy_sources(root: Path, folder: Path) -> None:
    """Copy what runs; roles lie in the package as they do in the wheel."""
    for name in SOURCES:
        target = folder / "fanfold" / name if name == "roles" else folder / name
        shutil.copytree(root / name, target, ignore=_NOT_SHIPPED, dirs_exist_ok=True)


def _uv(root: Path) -> str:
    """The uv that `make setup` installed, else the one on the path."""
    installed = sorted(root.glob(".uv/*/bin/uv"))
    found = str(installed[-1]) if installed else shutil.which("uv")
    if found is None:
        raise FileNotFoundError("uv is neither below .uv/ nor on the path: run `make setup`")
    return found


def _requirements(uv: str, root: Path, omit: tuple[str, ...]) -> str:
    pruned = [word for name in omit for word in ("--prune", name)]
    command = [uv, *_EXPORT, "--no-header", "--no-annotate", *pruned]
    return subprocess.run(  # noqa: S603
        command, cwd=root, check=True, capture_output=True, text=True
    ).stdout


def _install(uv: str, requirements: str, folder: Path, platform: str, python: str) -> None:
    """Without metadata of the installation or entry points, which would name this machine."""
    command = [uv, "pip", "install", "--quiet", "--no-installer-metadata", "--link-mode=copy"]
    command += ["--only-binary=:all:", "--no-deps", "--require-hashes", "--target", str(folder)]
    command += ["--python-platform", platform, "--python-version", python, "--requirements", "-"]
    subprocess.run(command, input=requirements, text=True, check=True)  # noqa: S603
    shutil.rmtree(folder / "bin", ignore_errors=True)
    (folder / ".lock").unlink(missing_ok=True)


def _digest(root: Path, recipe: str, names: tuple[str, ...] = SOURCES) -> str:
    found = hashlib.sha256(recipe.encode())
    for name in names:
        for path in sorted([root / name, *(root / name).rglob("*")]):
            if path.is_file() and path.suffix != ".pyc":
                found.update(f"\0{path.relative_to(root).as_posix()}\0".encode())
                found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def _made(name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache; where another process was first, its folder is the same."""
    folder = CACHE / name
    if folder.exists():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(dir=CACHE))
    make(making)
    making.chmod(0o755)
    try:
        making.rename(folder)
    except OSError:
        if not folder.exists():
            raise
        shutil.rmtree(making)
    return folder
