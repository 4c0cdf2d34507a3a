"""How sandboxes run a command line: `sh -c` under limits, with what `[prepare]` made at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PROCESSES = 4096
PREPARED = ".prepared"
# By the kernel's names, in bytes and in numbers of files.
LIMITS = {"CORE": 0, "FSIZE": 16 << 30, "DATA": 32 << 30, "NOFILE": 65536}
_SHELL = f"""\
{{ echo 1000 >/proc/self/oom_score_adj
ulimit -c 0; ulimit -f {LIMITS["FSIZE"] >> 9}; ulimit -d {LIMITS["DATA"] >> 10}
ulimit -n {LIMITS["NOFILE"]}; ulimit -u "$2" || ulimit -p "$2"; }} 2>/dev/null
exec /bin/sh -c "$1"
"""


def shell(command: str, processes: int) -> tuple[str, ...]:
    """The words that run `sh -c command` under the limits, `processes` among them."""
    return ("/bin/sh", "-c", _SHELL, "sh", command, str(processes))


def prepared(environ: Mapping[str, str], root: Path, seen_at: str) -> dict[str, str]:
    """`environ` with what finds the tools of the tree at `root`, which commands see at `seen_at`.

    Package managers keep what they fetch at home, which is empty: below the tree it is prepared.
    """
    found = {**environ, "PWD": seen_at}
    found["PATH"] = f"{seen_at}/.venv/bin:{seen_at}/node_modules/.bin:{environ['PATH']}"
    if (root / ".venv").is_dir():
        found |= {"UV_NO_SYNC": "1", "UV_FROZEN": "1"}
    if (root / PREPARED).is_dir():
        kept = f"{seen_at}/{PREPARED}"
        found |= {
            "CARGO_HOME": f"{kept}/cargo",
            "GOMODCACHE": f"{kept}/go",
            "GOCACHE": f"{kept}/go-build",
            "GRADLE_USER_HOME": f"{kept}/gradle",
            "MAVEN_ARGS": f"-Dmaven.repo.local={kept}/m2",
        }
    return found
