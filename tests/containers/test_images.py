"""The build steps of the images, on a root made of Debian packages, and what they leave to run.

Takes minutes and the Debian mirror, so `make test` leaves it out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from fanfold.settings import environment
from infra.bundle import ROOT, image_context

pytestmark = pytest.mark.long

MIRROR = "http://deb.debian.org/debian"
PREFIX = "public.ecr.aws/docker/library/debian:"
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENTER = """\
root=$1; shift
mount --bind /proc "$root/proc"; mount --rbind /dev "$root/dev"
exec chroot "$root" "$@"
"""


class Root:
    """A Debian root in which this machine's network and certificates are known."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        trust = "/etc/ssl/host.crt"
        inside = ["/usr/bin/env", "-i", "-C", "/opt/fanfold", f"PATH={PATH}", "HOME=/root"]
        inside += [f"PIP_CERT={trust}", f"SSL_CERT_FILE={trust}", *words]
        enter = ["unshare", "--mount", "--fork", "sh", "-c", ENTER, "sh", str(self.place), *inside]
        done = subprocess.run(enter, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done


def suite(dockerfile: str) -> str:
    """The Debian that an image is built on."""
    (base,) = (
        line.removeprefix("ARG BASE=")
        for line in (ROOT / dockerfile).read_text().splitlines()
        if line.startswith("ARG BASE=")
    )
    assert base.startswith(PREFIX)
    return base.removeprefix(PREFIX).removesuffix("-slim")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Root:
    if shutil.which("mmdebstrap") is None or os.geteuid() != 0:
        pytest.skip("needs root and mmdebstrap: apt-get install mmdebstrap")
    place = tmp_path_factory.mktemp("image") / "root"
    release = suite("containers/worker/Dockerfile")
    assert release == suite("containers/check/Dockerfile")
    made = ["mmdebstrap", "--variant=apt", "--quiet", release, str(place), MIRROR]
    subprocess.run(made, check=True, env={**environment(), "TMPDIR": tempfile.gettempdir()})
    for name in ("resolv.conf", "hosts"):
        shutil.copy(f"/etc/{name}", place / "etc" / name)
    (place / "etc/ssl").mkdir(exist_ok=True)
    if BUNDLE.exists():
        shutil.copy(BUNDLE, place / "etc/ssl/host.crt")
    shutil.copytree(image_context(ROOT).folder, place / "opt" / "fanfold")
    opened = Root(place)
    opened.run("containers/build.sh", "system", "lean")
    return opened


def test_the_worker_starts_and_says_what_it_lacks(root: Root) -> None:
    root.run("containers/build.sh", "program", "aws")
    told = root.run(".venv/bin/python", "containers/worker/main.py", check=False)
    assert told.returncode == 2
    assert told.stderr.startswith("fanfold: not set in the environment: FANFOLD_WORKER_ATTEMPT")
    for tool in ("git", "rg", "python3", "uv"):
        root.run(tool, "--version")


def test_commands_are_another_users_in_the_image(root: Root) -> None:
    root.run("containers/build.sh", "program", "aws")
    program = (
        "import os; from pathlib import Path; from fanfold.adapters.local.sandbox_uid import *;"
        "tree = Path('/tmp/w/tree'); tree.mkdir(parents=True, exist_ok=True);"
        "print(SecondUser(os.environ, Path('/tmp/w')).run('id -u; git --version', str(tree), 20))"
    )
    told = root.run(".venv/bin/python", "-c", program).stdout
    assert "exit_code=0" in told
    assert "output='0" not in told


def test_the_check_function_has_its_runtime_and_no_client_of_the_cloud(root: Root) -> None:
    root.run("containers/build.sh", "program", "function")
    root.run(".venv/bin/python", "-c", "import awslambdaric, functions.check")
    assert root.run(".venv/bin/python", "-c", "import boto3", check=False).returncode == 1
