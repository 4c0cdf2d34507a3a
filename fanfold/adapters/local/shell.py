"""How sandboxes run a command line: `sh -c` under limits, with what `[prepare]` made at hand."""

from __future__ import annotations

PROCESSES = 4096
PREPARED = ".prepared"
_FILE_BLOCKS, _DATA_KIB, _OPEN_FILES = 16 << 21, 32 << 20, 65536
_LIMITS = f"""\
echo 1000 >/proc/self/oom_score_adj
ulimit -c 0; ulimit -f {_FILE_BLOCKS}; ulimit -d {_DATA_KIB}; ulimit -n {_OPEN_FILES}
ulimit -u "$2" || ulimit -p "$2"
"""
# Package managers that keep what they fetch at home, which is empty: below the tree it is prepared.
_TOOLS = f"""\
export PATH="$PWD/.venv/bin:$PWD/node_modules/.bin:$PATH"
if [ -d .venv ]; then export UV_NO_SYNC=1 UV_FROZEN=1; fi
if [ -d {PREPARED} ]; then
export CARGO_HOME="$PWD/{PREPARED}/cargo" GOMODCACHE="$PWD/{PREPARED}/go"
export GRADLE_USER_HOME="$PWD/{PREPARED}/gradle" MAVEN_ARGS="-Dmaven.repo.local=$PWD/{PREPARED}/m2"
fi
"""
_SHELL = f'{{ {_LIMITS} }} 2>/dev/null\n{_TOOLS}\nexec /bin/sh -c "$1"'


def shell(command: str, processes: int) -> tuple[str, ...]:
    """The words that run `sh -c command` under the limits, `processes` among them."""
    return ("/bin/sh", "-c", _SHELL, "sh", command, str(processes))
