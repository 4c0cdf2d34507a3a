"""Peak memory of a run with 32 attempts at once, against the same run with one at a time."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from fleet import make_repository, merged, run_command, write_script

ATTEMPTS = 32
DELAY_S = 0.5
MEASURE = """\
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, text=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(peak, done.stdout, sep="\\n")
"""


def peak_mib(attempts: int, concurrency: int) -> float:
    """The largest resident set of the run's process, in MiB."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        repository = make_repository(folder / "repository", attempts)
        script = write_script(folder / "script.json", attempts, DELAY_S)
        command = [sys.executable, "-c", MEASURE, *run_command(script, concurrency=concurrency)]
        done = subprocess.run(
            command, cwd=repository, check=True, stdout=subprocess.PIPE, text=True
        )
        peak, _, output = done.stdout.partition("\n")
        if not output.strip() or merged(output) != attempts:
            sys.exit("memory: the run did not merge all units")
        return int(peak) / (1024 * 1024 if sys.platform == "darwin" else 1024)


def main() -> int:
    one, many = peak_mib(ATTEMPTS, 1), peak_mib(ATTEMPTS, ATTEMPTS)
    print(f"peak of {ATTEMPTS} attempts: one at a time {one:.0f} MiB, all at once {many:.0f} MiB")
    print(f"ratio {many / one:.2f}, {(many - one) / (ATTEMPTS - 1):.2f} MiB an attempt")
    return 0


if __name__ == "__main__":
    sys.exit(main())
