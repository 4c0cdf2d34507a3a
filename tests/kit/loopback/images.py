"""Images without Docker: the registry holds where an image would be built from, and runs that."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fanfold.settings import environment
from infra.bundle import ROOT
from tests.kit.loopback.clients import ACCOUNT, REGION

if TYPE_CHECKING:
    from tests.kit.loopback.clients import ClientOf

_ENTRYPOINT = re.compile(r"^ENTRYPOINT (\[.*\])$", re.MULTILINE)
_PROGRAM = re.compile(r"^RUN (containers/build\.sh program .*)$", re.MULTILINE)
CONTEXT, DOCKERFILE = "fanfold.context", "fanfold.dockerfile"


class Image(NamedTuple):
    """What stands for an image: the folder it would be built from, and its Dockerfile's text."""

    context: Path
    dockerfile: str

    @property
    def command(self) -> list[str]:
        return json.loads(_ENTRYPOINT.findall(self.dockerfile)[-1])

    def build(self, folder: Path) -> None:
        """Put the program into the empty `folder` by the image's own build step.

        The step before it installs tools of Debian, which are this machine's here.
        """
        shutil.copytree(self.context, folder, dirs_exist_ok=True)
        (step,) = _PROGRAM.findall(self.dockerfile)
        known = environment()
        uv = str(next(iter(ROOT.glob(".uv/*/bin"))))
        given = {**known, "PATH": f"{uv}:{known['PATH']}", "UV_NO_CACHE": "0"}
        given.pop("VIRTUAL_ENV", None)
        done = subprocess.run(
            step.split(), cwd=folder, env=given, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def register_images(client: ClientOf, assembly: Path) -> None:
    """Puts each where the assembly says it lies, so that nobody has to build it."""
    for file in assembly.glob("*.assets.json"):
        for tag, asset in json.loads(file.read_text()).get("dockerImages", {}).items():
            context = (assembly / asset["source"]["directory"]).resolve()
            dockerfile = context / asset["source"].get("dockerFile", "Dockerfile")
            for place in asset["destinations"].values():
                _put(client, place, _manifest(tag, context, dockerfile))


def _put(client: ClientOf, place: dict[str, str], manifest: dict[str, Any]) -> None:
    """An image that is there stays."""
    ecr = client("ecr")
    try:
        ecr.put_image(
            repositoryName=_here(place["repositoryName"]),
            imageTag=_here(place["imageTag"]),
            imageManifest=json.dumps(manifest),
        )
    except ecr.exceptions.ImageAlreadyExistsException:
        return


def pulled(client: ClientOf, uri: str) -> Image:
    """The image of `registry/repository:tag`, as it was put there."""
    name, _, tag = uri.rpartition(":")
    found = client("ecr").batch_get_image(
        repositoryName=name.partition("/")[2], imageIds=[{"imageTag": tag}]
    )
    (image,) = found["images"]
    told = json.loads(image["imageManifest"])["annotations"]
    return Image(Path(told[CONTEXT]), Path(told[DOCKERFILE]).read_text())


def _manifest(tag: str, context: Path, dockerfile: Path) -> dict[str, Any]:
    config = {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 2}
    return {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {**config, "digest": f"sha256:{tag}"},
        "layers": [],
        "annotations": {CONTEXT: os.fspath(context), DOCKERFILE: os.fspath(dockerfile)},
    }


def _here(name: str) -> str:
    return name.replace("${AWS::AccountId}", ACCOUNT).replace("${AWS::Region}", REGION)
