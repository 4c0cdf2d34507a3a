"""How large the functions' zips are, and how long the templates take to write.

The synthesis is compared to that of an app with one empty stack: most of it is the CDK's own start.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from infra.bundle import CONTROL_UNUSED, UNUSED, bundle  # noqa: E402

UNZIPPED_LIMIT, ZIPPED_LIMIT = 250, 50
"""MB that Lambda takes of a function's code, and of a zip that is uploaded at once."""

ROUNDS = 3
EMPTY = "import aws_cdk as c; a = c.App(outdir={!r}); c.Stack(a, 'S'); a.synth()"
OURS = """
import app
from infra.bundle import sources_only
from infra.sources import Sources
app.build({!r}, sources=Sources(bundler=sources_only)).synth()
"""


def sizes(omit: tuple[str, ...]) -> tuple[float, float]:
    """MB of a function's code, unzipped and zipped."""
    folder = bundle(ROOT, omit).folder
    files = [path for path in folder.rglob("*") if path.is_file()]
    with tempfile.TemporaryFile() as target:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
            for path in files:
                file.write(path, path.relative_to(folder))
        zipped = target.tell()
    return sum(path.stat().st_size for path in files) / 1e6, zipped / 1e6


def seconds(program: str) -> float:
    """The shortest of several runs."""
    best = float("inf")
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            command = [sys.executable, "-c", program.format(folder)]
            subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
            best = min(best, time.perf_counter() - began)
    return best


def main() -> None:
    large: list[str] = []
    for name, omit in (("control functions", CONTROL_UNUSED), ("attempts", UNUSED)):
        unzipped, zipped = sizes(omit)
        print(f"{name:18} {unzipped:5.1f} MB, zipped {zipped:4.1f} MB")
        if unzipped > UNZIPPED_LIMIT or zipped > ZIPPED_LIMIT:
            large.append(name)
    ours, empty = seconds(OURS), seconds(EMPTY)
    print(f"synthesis {ours:.1f} s, {ours / empty:.1f}× that of an empty stack")
    if large:
        sys.exit(f"too large: {', '.join(large)}")


if __name__ == "__main__":
    main()
