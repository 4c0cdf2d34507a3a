"""Package registries by the name of their kind, at the addresses that this machine's clients use.

So `network = ["pypi"]` in a committed file means whatever index pip and uv are set to here.
"""

from __future__ import annotations

import configparser
import re
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from fanfold.adapters.local.sandbox_mounts import home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_NPM_LINE = re.compile(r"^\s*registry\s*=\s*[\"']?([^\s\"']+)", re.MULTILINE)
_MIRROR_URL = re.compile(r"<mirror>.*?<url>\s*([^<\s]+)\s*</url>", re.DOTALL)


class Kind(NamedTuple):
    """One kind of registry: its public hosts, where clients are told of another, how to tell them.

    `address` gives the URL that is set here, "" for the public one; `variables` take it.
    """

    hosts: tuple[str, ...]
    address: Callable[[Mapping[str, str]], str]
    variables: tuple[str, ...]


def registry_hosts(names: Iterable[str], environ: Mapping[str, str]) -> tuple[str, ...]:
    """`names` as hosts: a kind of registry as those that it stands for here, others as they are."""
    return tuple(dict.fromkeys(h for name in names for h in _hosts(name, environ)))


def public_hosts(names: Iterable[str]) -> tuple[str, ...]:
    """`names` as hosts, where no client is set to anything: a kind as its public registries."""
    found = (KINDS[name].hosts if name in KINDS else (name,) for name in names)
    return tuple(dict.fromkeys(host for hosts in found for host in hosts))


def registry_variables(names: Iterable[str], environ: Mapping[str, str]) -> dict[str, str]:
    """What tells the clients in a sandbox of the registries that are set here.

    An address with a password is left out: no key gets into a sandbox.
    """
    found: dict[str, str] = {}
    for name in names:
        kind = KINDS.get(name)
        address = kind.address(environ) if kind else ""
        if kind and address and not has_password(address):
            found |= dict.fromkeys(kind.variables, address)
    return found


def has_password(address: str) -> bool:
    """Whether a URL has a user or a key in it."""
    with suppress(ValueError):
        return "@" in urlsplit(address).netloc
    return True


def _hosts(name: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    kind = KINDS.get(name)
    if kind is None:
        return (name,)
    url = urlsplit(kind.address(environ))
    if not url.hostname or url.hostname in kind.hosts:
        return kind.hosts
    own = f"{url.hostname}:{url.port}" if url.port else url.hostname
    return (own, *kind.hosts)


def _pypi(environ: Mapping[str, str]) -> str:
    set_so = (environ.get(n) for n in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"))
    return next(filter(None, [*set_so, *_pip_files(environ), *_uv_files(environ)]), "")


def _pip_files(environ: Mapping[str, str]) -> Iterator[str]:
    own = home(environ)
    for file in (own / ".config/pip/pip.conf", own / ".pip/pip.conf", Path("/etc/pip.conf")):
        parser = configparser.RawConfigParser()
        with suppress(configparser.Error):
            parser.read_string(_text(file))
            yield parser.get("global", "index-url", fallback="")


def _uv_files(environ: Mapping[str, str]) -> Iterator[str]:
    for file in (home(environ) / ".config/uv/uv.toml", Path("/etc/uv/uv.toml")):
        with suppress(tomllib.TOMLDecodeError):
            settings = tomllib.loads(_text(file))
            yield str(settings.get("index-url", ""))
            indexes = settings.get("index", [])
            yield from (str(i.get("url", "")) for i in indexes if i.get("default"))


def _npm(environ: Mapping[str, str]) -> str:
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        if environ.get(name):
            return environ[name]
    for file in (home(environ) / ".npmrc", Path("/etc/npmrc")):
        if found := _NPM_LINE.search(_text(file)):
            return found[1]
    return ""


def _maven(environ: Mapping[str, str]) -> str:
    found = _MIRROR_URL.search(_text(home(environ) / ".m2/settings.xml"))
    return found[1] if found else ""


def _public(_: Mapping[str, str]) -> str:
    return ""


def _go(environ: Mapping[str, str]) -> str:
    return environ.get("GOPROXY", "").split(",")[0].split("|")[0]


def _text(file: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return file.read_text("utf-8")
    return ""


KINDS = {
    "pypi": Kind(
        ("pypi.org", "files.pythonhosted.org"),
        _pypi,
        ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
    ),
    "npm": Kind(
        ("registry.npmjs.org", "registry.yarnpkg.com"),
        _npm,
        ("NPM_CONFIG_REGISTRY", "YARN_NPM_REGISTRY_SERVER"),
    ),
    "crates": Kind(("index.crates.io", "static.crates.io", "crates.io"), _public, ()),
    "go": Kind(("proxy.golang.org", "sum.golang.org"), _go, ("GOPROXY",)),
    "maven": Kind(
        ("repo.maven.apache.org", "repo1.maven.org", "plugins.gradle.org", "services.gradle.org"),
        _maven,
        (),
    ),
}
