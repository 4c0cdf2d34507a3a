"""Install one version of uv below a folder, on any Python 3 with or without pip and venv.

Usage: python3 tools/install_uv.py VERSION FOLDER
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urljoin
from urllib.request import urlopen

INDEX = "https://pypi.org/simple/pip/"
PIP_WHEEL = "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
PIP_OPTIONS = ["--quiet", "--disable-pip-version-check", "--no-warn-script-location", "--upgrade"]


def fetch(url: str) -> bytes:
    with urlopen(url, timeout=60) as reply:
        return reply.read()


def fetch_pip(folder: Path) -> Path:
    """Download the pinned wheel of pip, which runs without being installed; gives its path."""
    links: list[str] = re.findall(r'href="([^"]+)"', fetch(INDEX).decode())
    link = next((link for link in links if link.split("#")[0].endswith("/" + PIP_WHEEL)), None)
    if link is None:
        sys.exit(f"install_uv: {INDEX} has no {PIP_WHEEL}")
    data = fetch(urljoin(INDEX, link))
    if hashlib.sha256(data).hexdigest() != PIP_SHA256:
        sys.exit(f"install_uv: {PIP_WHEEL} does not match its digest")
    wheel = folder / PIP_WHEEL
    wheel.write_bytes(data)
    return wheel


def main() -> None:
    version, target = sys.argv[1:]
    with tempfile.TemporaryDirectory() as temporary:
        if importlib.util.find_spec("pip"):
            pip = [sys.executable, "-m", "pip"]
        else:
            pip = [sys.executable, str(fetch_pip(Path(temporary)) / "pip")]
        command = [*pip, "install", *PIP_OPTIONS, "--target", target, f"uv=={version}"]
        sys.exit(subprocess.run(command, check=False).returncode)


if __name__ == "__main__":
    main()
