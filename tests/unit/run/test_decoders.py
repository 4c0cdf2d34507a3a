"""Types that threads decode: the first use in many threads at once must not end the process."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys, threading
sys.setswitchinterval(1e-7)
import msgspec
from fanfold.adapters.claude import assembly
from fanfold.adapters.local.lease import LeaseRecord
from fanfold.agent.tools import TOOLS
from fanfold.run.attempt import Context, Report
from fanfold.run.events import BY_TYPE
from fanfold.steps.merge import MergeRecord
from fanfold.steps.request import Request
kinds = [Context, Report, Request, MergeRecord, LeaseRecord, *BY_TYPE.values()]
kinds += [tool.arguments for tool in TOOLS.values()]
kinds += [v for k, v in vars(assembly).items() if isinstance(v, type(msgspec.Struct))]
start = threading.Barrier(16)
def use():
    start.wait()
    for kind in kinds:
        try:
            msgspec.convert({}, kind)
        except msgspec.ValidationError:
            pass
threads = [threading.Thread(target=use) for _ in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(kinds))
"""


def test_types_are_learnt_before_threads_use_them() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=False)
    assert (done.returncode, int(done.stdout) > 40) == (0, True), done.stderr
