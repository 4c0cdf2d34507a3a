"""The proxy: the one way out of the agents' network, to allowed hosts and to the model API."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
from typing import TYPE_CHECKING

from containers.proxy.model_api import ModelApi
from containers.proxy.tunnel import HEAD_BYTES, Tunnels
from fanfold.bootstrap_aws import secret_reader
from fanfold.errors import AccessDenied, FanfoldError
from fanfold.run.access import Access, Operation
from fanfold.settings import proxy

if TYPE_CHECKING:
    from collections.abc import Callable

    from fanfold.settings import Proxy

TUNNEL_PORT, MODEL_PORT = 3128, 8080

logger = logging.getLogger("fanfold.proxy")


def main() -> int:
    """The exit code: 0 after SIGTERM, 2 for settings that are none."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stdout)
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    try:
        settings = proxy()
        model_api = _model_api(settings)
    except FanfoldError as error:
        print(f"fanfold: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    if model_api:
        threading.Thread(target=model_api.serve_forever, daemon=True).start()
    asyncio.run(_serve(Tunnels(settings.allow)))
    if model_api:
        model_api.shutdown()
        model_api.server_close()
    return 0


def _model_api(settings: Proxy) -> ModelApi | None:
    """None where models are called without a key. Raises `FanfoldError` for a key that is none."""
    if not settings.key_secret:
        return None
    own = Access("proxy", secrets=(settings.key_secret, settings.pass_secret))
    read = _noted(secret_reader(), own)

    def key(fresh: bool) -> str:
        return read(settings.key_secret, fresh)

    def secret() -> str:
        return read(settings.pass_secret, False)

    key(False)
    return ModelApi(("", MODEL_PORT), upstream=settings.upstream, key=key, secret=secret)


def _noted(read: Callable[[str, bool], str], access: Access) -> Callable[[str, bool], str]:
    """The same for secrets that `access` names; the log gets the name with each new value."""
    told: set[str] = set()

    def noted(name: str, fresh: bool) -> str:
        decision = access.decide(Operation.SECRET, name)
        if not decision.allowed:
            raise AccessDenied(decision.why)
        if fresh or name not in told:
            told.add(name)
            logger.info("%s: %s", decision.why, name)
        return read(name, fresh)

    return noted


async def _serve(tunnels: Tunnels) -> None:
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    async with await asyncio.start_server(tunnels.serve, "", TUNNEL_PORT, limit=HEAD_BYTES):
        await over.wait()


if __name__ == "__main__":
    sys.exit(main())
