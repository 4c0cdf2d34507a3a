"""An account on the loopback, in a process of its own.

It prints its address, and ends with its standard input. `--variables` are given to functions and
tasks beside the deployed ones.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.kit.loopback.clients import clients_of, variables

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

ROOT = Path(__file__).parents[3]


@contextmanager
def account(folder: Path, given: Mapping[str, str] | None = None) -> Generator[str]:
    """A fresh account; gives the address of its services. `folder/log` is what they logged."""
    command = [sys.executable, "-m", "tests.kit.loopback.server", str(folder)]
    command += ["--variables", json.dumps(dict(given or {}))]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, (folder / "log").read_text()
        yield address
        process.communicate("")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--variables", type=json.loads)
    serve(**vars(parser.parse_args()))


def serve(folder: Path, variables: Mapping[str, str]) -> None:
    from moto.moto_server.werkzeug_app import (  # pyright: ignore[reportMissingTypeStubs]
        DomainDispatcherApplication,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, application, threaded=True)
    endpoint = f"http://127.0.0.1:{server.server_port}"
    os.environ["MOTO_PORT"] = str(server.server_port)  # noqa: TID251 - where moto looks
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with _repaired(endpoint, folder, variables):
        sys.stdout.write(f"{endpoint}\n")
        sys.stdout.flush()
        sys.stdin.read()
    server.shutdown()


@contextmanager
def _repaired(endpoint: str, folder: Path, given: Mapping[str, str]) -> Generator[None]:
    from tests.kit.dynamodb import one_at_a_time
    from tests.kit.interpreter import interpreter
    from tests.kit.loopback.containers import Containers, TaskClient
    from tests.kit.loopback.deliveries import Deliveries
    from tests.kit.loopback.functions import Functions
    from tests.kit.loopback.stacks import Stacks
    from tests.kit.s3 import whole_objects

    client = clients_of(endpoint)
    environment = {**variables(endpoint), **given}
    functions = Functions(client, folder, environment)
    containers = Containers(client, folder, environment)
    deliveries, stacks = Deliveries(client), Stacks(client)
    for repairs in (functions, containers, deliveries, stacks):
        repairs.repair()
    calls = {"lambda": client("lambda"), "ecs": TaskClient(client("ecs"))}
    try:
        with one_at_a_time(), whole_objects(), interpreter(calls):
            yield
    finally:
        for each in (deliveries, functions, containers):
            each.close()


if __name__ == "__main__":
    main()
