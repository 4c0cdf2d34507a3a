"""What fanfold adds to a unit, against a shell script that does the same with git worktrees.

The model answers at once. The script does `worktree add`, `apply`, `commit` and `worktree remove`
for each unit; fanfold does the whole run, its start, merge and write-back included. Exits 1 above
the bound.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fleet import content, make_repository, merged, run_command, write_script

BOUND = 1.0
UNITS = 40
ROUNDS = 3
SCRIPT = """\
set -e
for n in $(seq 0 $(({units} - 1))); do
  git worktree add --quiet --detach "$1/$n" main
  git -C "$1/$n" apply --index "$2/$n.patch"
  git -C "$1/$n" commit --quiet --message "Write part $n"
  git worktree remove --force "$1/$n"
done
"""


def shell_seconds() -> float:
    """Seconds of the shell script for all units."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        repository = make_repository(folder / "repository", UNITS)
        patches = folder / "patches"
        patches.mkdir()
        for number in range(UNITS):
            (patches / f"{number}.patch").write_text(patch(number))
        started = time.perf_counter()
        script = SCRIPT.format(units=UNITS)
        command = ["sh", "-c", script, "sh", str(folder / "trees"), str(patches)]
        subprocess.run(command, cwd=repository, check=True)
        return time.perf_counter() - started


def patch(number: int) -> str:
    lines = content(number).splitlines(keepends=True)
    name = f"parts/{number}.py"
    head = f"diff --git a/{name} b/{name}\nnew file mode 100644\n--- /dev/null\n+++ b/{name}\n"
    return f"{head}@@ -0,0 +1,{len(lines)} @@\n" + "".join(f"+{line}" for line in lines)


def fanfold_seconds() -> float:
    """Seconds of a whole run of the same units."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        repository = make_repository(folder / "repository", UNITS)
        script = write_script(folder / "script.json", UNITS)
        command = run_command(script, concurrency=8)
        started = time.perf_counter()
        done = subprocess.run(command, cwd=repository, check=False, capture_output=True, text=True)
        elapsed = time.perf_counter() - started
        if not done.stdout or merged(done.stdout) != UNITS:
            sys.exit(f"overhead: the run did not merge all units: {done.stderr}{done.stdout}")
        return elapsed


def main() -> int:
    pairs = [(shell_seconds(), fanfold_seconds()) for _ in range(ROUNDS)]
    shell, fanfold = (min(column) / UNITS * 1000 for column in zip(*pairs, strict=True))
    print(f"a unit: shell script {shell:.0f} ms, fanfold {fanfold:.0f} ms ({UNITS} units)")
    print(f"ratio {fanfold / shell:.2f} (at most {BOUND:g})")
    return 0 if fanfold / shell <= BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
