"""The builder: makes what `[prepare]` asks for on one tree, with no model and no key."""

from __future__ import annotations

import sys

from fanfold.bootstrap_worker import builder_post
from fanfold.errors import FanfoldError


def main() -> int:
    """0 when the layer is there, or the reason why it cannot be; else an error's exit code."""
    try:
        told, preparing = builder_post()
        made = preparing.make(told)
    except FanfoldError as error:
        print(f"fanfold: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    print(f"fanfold: layer {told.digest} {'is there' if made else 'cannot be made'}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
