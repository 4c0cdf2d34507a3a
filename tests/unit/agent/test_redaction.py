"""A secret in the repository or in an output reaches neither the model nor what is kept."""

from __future__ import annotations

import random
import string
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from fanfold.adapters.local.secrets import Secrets
from fanfold.agent.redaction import redacted, redacted_patch
from fanfold.agent.tools import TOOLS
from fanfold.agent.tools.base import ToolFailure
from fanfold.agent.tools.bench import Bench
from fanfold.ports import CommandResult
from fanfold.run.attempt import Candidate, ConflictFile, FailedCheck, Predecessor, TaskText
from tests.fakes.workspace import MemoryWorkspace
from tests.unit.agent.conftest import DONE, FAKE_SECRET, Attempt, a_context, reply, use

if TYPE_CHECKING:
    from tests.unit.agent.conftest import Block

BODY = "\n".join("".join(random.Random(i).choices(string.ascii_letters, k=64)) for i in range(4))
KEY = f"-----BEGIN RSA {'PRIVATE'} KEY-----\n{BODY}\n-----END RSA {'PRIVATE'} KEY-----"
FILE = f"# settings\n{KEY}\nport = 80\n"


def a_bench(content: str = FILE, said: str = "") -> Bench:
    workspace = MemoryWorkspace(
        {"a.txt": content}, lambda command, files: CommandResult(0, said, 0.1)
    )
    return Bench(workspace, command_s=9, max_file_bytes=10**6, redact=Secrets().redact)


def told(bench: Bench, name: str, **arguments: Any) -> str:
    tool = TOOLS[name]
    return tool.run(bench, tool.parse(arguments)).text


@pytest.mark.parametrize(
    "call",
    [
        use("read", file_path="secret.env"),
        use("grep", pattern="KEY"),
        use("bash", command="env"),
        use("read", file_path=FAKE_SECRET),
        use("glob", pattern="**"),
        use("edit", file_path="secret.env", old_string="no", new_string="KEY"),
        use(FAKE_SECRET, "toolu_1"),
    ],
)
def test_no_call_tells_a_secret(attempt: Attempt, call: Block) -> None:
    line = f"KEY={FAKE_SECRET}\n"
    attempt.workspace = MemoryWorkspace(
        {"secret.env": line, f"{FAKE_SECRET}.txt": ""},
        lambda command, files: CommandResult(0, line, 0.1),
    )
    attempt.context = a_context(shell=True)
    attempt.run(reply(call), DONE)
    answers = [m["content"] for m in attempt.model.requests[-1].messages if m["role"] == "user"]
    assert FAKE_SECRET not in str(answers)
    assert FAKE_SECRET not in str(attempt.lines)
    assert FAKE_SECRET not in str(attempt.events())


def test_no_text_of_the_bundle_tells_a_secret(attempt: Attempt) -> None:
    secret = f"see {FAKE_SECRET}"
    attempt.context = a_context(
        tasks=(TaskText("t1", secret, secret),),
        plan_title=secret,
        outline=(secret,),
        spec=secret,
        instructions=(("AGENTS.md", secret),),
        constraints=(secret,),
        hint=secret,
        predecessors=(Predecessor("t0", secret, secret),),
        conflicts=(ConflictFile("a.py", secret, secret, secret),),
        candidates=(Candidate("t1.1", secret, secret, secret),),
        failed_checks=(FailedCheck("make", secret),),
    )
    attempt.run(reply(use("read", file_path=".fanfold/output/conflict/ours/a.py")), DONE)
    assert "«redacted:fake»" in str(attempt.model.requests[0])
    assert FAKE_SECRET not in str(attempt.model.requests)


def test_rules_and_limits_of_the_bundle_stay() -> None:
    context = a_context(writes=("src",), context_deny=("x",), checks=("make",), shell=True)
    assert redacted(context, lambda text: text.replace("Do", "I")) == msgspec.structs.replace(
        context, tasks=(TaskText("t1", "I it", "- [ ] I it"),)
    )


def test_lines_keep_their_numbers_when_a_secret_spans_several() -> None:
    assert told(a_bench(), "read", file_path="a.txt").split("\n") == [
        "1\t# settings",
        "\t«redacted:private_key»",
        *("\t" for _ in range(3, 8)),
        "\tport = 80",
    ]


def test_a_pattern_cannot_ask_for_a_secret() -> None:
    bench = a_bench()
    assert told(bench, "grep", pattern=BODY[:3]).startswith("No line")
    assert told(bench, "grep", pattern=r"\w{40}").startswith("No line")
    assert told(bench, "grep", pattern="port") == "a.txt\n8:port = 80"


def test_a_long_output_is_redacted_before_it_is_cut_and_kept() -> None:
    bench = a_bench(said=f"{'x' * 4_900}\n{KEY}\n{'y' * 9_000}")
    shown = told(bench, "bash", command="make")
    whole = bench.read(".fanfold/output/1.txt")
    assert "«redacted:private_key»" in shown
    assert not any(line in shown + whole for line in BODY.split("\n"))


def test_what_surrounds_a_secret_can_be_edited_and_the_secret_stays() -> None:
    bench = a_bench()
    told(bench, "edit", file_path="a.txt", old_string="port = 80", new_string="port = 81")
    assert bench.read("a.txt") == FILE.replace("80", "81")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("write", {"content": "«redacted:private_key»\nport = 81\n"}),
        ("edit", {"old_string": "«redacted:private_key»", "new_string": "none"}),
        ("edit", {"old_string": "port = 80", "new_string": "«redacted:private_key»"}),
    ],
)
def test_a_mark_never_takes_the_place_of_its_secret(name: str, arguments: dict[str, str]) -> None:
    bench = a_bench()
    with pytest.raises(ToolFailure, match="a secret that you cannot see"):
        told(bench, name, file_path="a.txt", **arguments)
    assert bench.read("a.txt") == FILE


def test_a_file_may_speak_of_the_mark() -> None:
    bench = a_bench("MARK = '«redacted:x»'\n")
    told(bench, "write", file_path="a.txt", content="MARK = '«redacted:y»'\n")
    told(bench, "write", file_path="new.txt", content="«redacted:z»\n")
    assert bench.read("a.txt") == "MARK = '«redacted:y»'\n"


def a_patch(*lines: str) -> bytes:
    head = ("diff --git a/a.txt b/a.txt", "--- a/a.txt", "+++ b/a.txt", "@@ -1,2 +1,3 @@")
    return "\n".join([*head, *lines, ""]).encode("utf-8", "surrogateescape")


def test_a_patch_that_adds_a_secret_loses_it_and_keeps_its_lines() -> None:
    added = [f"+{line}" for line in KEY.split("\n")]
    patch = a_patch(" context \udcff", *added, "+port = 80")
    told = redacted_patch(patch, Secrets()).decode("utf-8", "surrogateescape").split("\n")
    assert told[5:] == ["+«redacted:private_key»", *["+"] * 5, "+port = 80", ""]
    assert told[:5] == patch.decode("utf-8", "surrogateescape").split("\n")[:5]


def test_a_secret_that_was_there_before_leaves_a_patch_as_it_is() -> None:
    patch = a_patch(f" {KEY.splitlines()[0]}", f" {BODY.splitlines()[0]}", "+port = 80")
    assert redacted_patch(patch, Secrets()) == patch


def test_an_added_line_that_looks_like_a_header_is_looked_at() -> None:
    secret = "ghp_" + "".join(random.Random(5).choices(string.ascii_letters, k=36))
    told = redacted_patch(a_patch(f"+++ {secret}"), Secrets()).decode()
    assert "\n+++ «redacted:github_pat»\n" in told
