"""What a sandboxed command sees of this machine: the system and the toolchains on PATH."""

from __future__ import annotations

import fnmatch
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/opt",
    "/nix/store",
    "/gnu/store",
    "/run/current-system",
)
_TOOLCHAINS = (
    ".asdf",
    ".bun/bin",
    ".cargo/bin",
    ".cargo/git",
    ".cargo/registry",
    ".deno/bin",
    ".dotnet",
    ".local/share/mise/installs",
    ".local/share/pipx/venvs",
    ".local/share/uv/python",
    ".local/share/uv/tools",
    ".m2/repository",
    ".nvm/versions",
    ".pyenv",
    ".rbenv",
    ".rustup",
    ".sdkman/candidates",
    ".volta",
    "go/pkg/mod",
)
_PREFIX_MARKS = ("lib", "lib64", "libexec", "pyvenv.cfg", "versions", "conda-meta")
_SECRET_NAMES = (".env*", "*credential*", ".npmrc", ".netrc", ".pypirc", "auth*.json", "*.pem")
_PASSED_ON = (
    "PATH",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "TZ",
    "USER",
    "LOGNAME",
    "*_HOME",
    "*_ROOT",
    "NVM_DIR",
    "NVM_BIN",
    "SDKMAN_DIR",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "GOPATH",
    "GOFLAGS",
    "PYENV_VERSION",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
)
_FIXED = {
    "CI": "1",
    "NO_COLOR": "1",
    "TERM": "dumb",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_ROOT_USER_ACTION": "ignore",
    "UV_LINK_MODE": "copy",
    "UV_PYTHON_DOWNLOADS": "never",
    "UV_VENV_RELOCATABLE": "1",
    "UV_SYSTEM_CERTS": "true",
    "NODE_USE_SYSTEM_CA": "1",
    "NPM_CONFIG_AUDIT": "false",
    "NPM_CONFIG_FUND": "false",
    "NPM_CONFIG_UPDATE_NOTIFIER": "false",
}
_SECRET_VARIABLES = ("*KEY*", "*TOKEN*", "*SECRET*", "*PASS*", "*CREDENTIAL*", "AWS_*", "FANFOLD_*")
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The few variables a build or a test needs; all that sound like a secret stay out."""
    passed = {
        name: value
        for name, value in environ.items()
        if _matches(name, _PASSED_ON) and not _matches(name, _SECRET_VARIABLES)
    }
    return {
        "PATH": _DEFAULT_PATH,
        "LANG": "C.UTF-8",
        **passed,
        **_FIXED,
        "HOME": str(home(environ)),
    }


def home(environ: Mapping[str, str]) -> Path:
    """HOME where it is a folder to hide, else a made-up one."""
    place = Path(environ.get("HOME") or "/")
    return place if place.is_absolute() and len(place.parts) > 1 else Path("/home/user")


def toolchains(environ: Mapping[str, str]) -> list[Path]:
    """Folders outside the system's that executables on PATH need, outer ones first."""
    own_home = home(environ)
    found = {own_home / name for name in _TOOLCHAINS if (own_home / name).is_dir()}
    for name in environ.get("PATH", "").split(":"):
        folder = Path(name)
        if folder.is_absolute() and folder.is_dir():
            found.update(_needed(folder, own_home))
    return sorted(folder for folder in found if not any(p in found for p in folder.parents))


def secrets_in(folder: Path) -> list[Path]:
    """Entries of a toolchain's folder whose names say that they hold a secret."""
    with suppress(PermissionError):
        return sorted(p for p in folder.iterdir() if _matches(p.name, _SECRET_NAMES))
    return []


def private_settings(etc: Path = Path("/etc")) -> list[Path]:
    """What others may not read below /etc: hidden, as a command of root's could read it."""
    return sorted(_private(etc, depth=2))


def _private(folder: Path, depth: int) -> Iterator[Path]:
    with suppress(PermissionError):
        for place in folder.iterdir():
            mode = place.lstat().st_mode
            if stat.S_ISLNK(mode):
                continue
            if not mode & stat.S_IROTH:
                yield place
            elif stat.S_ISDIR(mode) and depth > 1:
                yield from _private(place, depth - 1)


def _needed(folder: Path, own_home: Path) -> Iterator[Path]:
    if not is_system(folder) and folder != own_home:
        yield _prefix(folder, own_home)
    for executable in folder.iterdir():
        if executable.is_symlink():
            real = executable.resolve()
            if real.is_file() and not is_system(real) and real.parent != own_home:
                yield _prefix(real.parent, own_home)


def _prefix(folder: Path, own_home: Path) -> Path:
    """The installation around a folder of executables; the folder alone where that shows more."""
    above = folder.parent
    shared = above == own_home or above in own_home.parents or above.name in (".local", "")
    is_installation = any((above / mark).exists() for mark in _PREFIX_MARKS)
    return above if is_installation and not shared else folder


def is_system(place: Path) -> bool:
    """Whether the system's folders show `place` already."""
    return any(place.is_relative_to(folder) for folder in SYSTEM)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
