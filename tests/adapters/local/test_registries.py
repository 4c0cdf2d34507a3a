"""Kinds of registries stand for the addresses that this machine's clients are set to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fanfold.adapters.local.registries import has_password, registry_hosts, registry_variables

if TYPE_CHECKING:
    from pathlib import Path

OWN = "https://packages.example.com:8443/simple"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".config/pip/pip.conf", f"[global]\nindex-url = {OWN}\n"),
        (".config/uv/uv.toml", f'[[index]]\nurl = "{OWN}"\ndefault = true\n'),
        (".config/uv/uv.toml", f'index-url = "{OWN}"\n'),
    ],
)
def test_the_index_of_pip_and_uv_is_found_in_their_files(
    tmp_path: Path, name: str, text: str
) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True)
    file.write_text(text)
    environ = {"HOME": str(tmp_path)}
    hosts = registry_hosts(("pypi", "files.example.org"), environ)
    assert hosts[0] == "packages.example.com:8443"
    assert {"pypi.org", "files.example.org"} <= set(hosts)
    told = registry_variables(("pypi",), environ)
    assert told == {"PIP_INDEX_URL": OWN, "UV_DEFAULT_INDEX": OWN}


def test_the_registry_of_npm_is_found(tmp_path: Path) -> None:
    (tmp_path / ".npmrc").write_text("fund=false\nregistry = https://npm.example.com/\n")
    environ = {"HOME": str(tmp_path)}
    assert "npm.example.com" in registry_hosts(("npm",), environ)
    told = registry_variables(("npm",), environ)
    assert told["NPM_CONFIG_REGISTRY"] == "https://npm.example.com/"
    set_so = {**environ, "npm_config_registry": "https://other.example.com/"}
    assert "other.example.com" in registry_hosts(("npm",), set_so)


def test_nothing_is_told_where_nothing_is_set(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    assert registry_variables(("npm", "crates", "go", "files.example.org"), environ) == {}
    assert registry_hosts(("crates",), environ)[0] == "index.crates.io"


def test_an_address_with_a_password_stays_outside(tmp_path: Path) -> None:
    address = "https://me:" + "obviously-fake" + "@packages.example.com/simple"
    environ = {"HOME": str(tmp_path), "PIP_INDEX_URL": address}
    assert has_password(address)
    assert registry_variables(("pypi",), environ) == {}
    assert registry_hosts(("pypi",), environ)[0] == "packages.example.com"
