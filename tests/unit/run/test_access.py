"""Default deny for what is done beyond tool calls: hosts, secrets, refs."""

from __future__ import annotations

import pytest

from fanfold.run.access import Access, Decision, Operation, Refusal

OURS = Access(
    "fanfold",
    hosts=("pypi.org", "*.example.com:8443"),
    secrets=("A_KEY",),
    refs=("refs/heads/f/*",),
)


@pytest.mark.parametrize(
    ("operation", "subject"),
    [
        (Operation.CONNECT, "pypi.org:443"),
        (Operation.CONNECT, "a.example.com:8443"),
        (Operation.SECRET, "A_KEY"),
        (Operation.COMMIT, "refs/heads/f/run"),
    ],
)
def test_what_is_granted_is_allowed(operation: Operation, subject: str) -> None:
    assert OURS.decide(operation, subject) == Decision(True, f"fanfold may {operation}")


@pytest.mark.parametrize(
    ("operation", "subject", "refusal", "why"),
    [
        (
            *(Operation.CONNECT, "pypi.org:22", Refusal.HOST),
            "pypi.org:22 is not among the allowed hosts; allowed: pypi.org, *.example.com:8443",
        ),
        (
            *(Operation.SECRET, "B_KEY", Refusal.SECRET),
            "fanfold may not read the secret B_KEY; allowed: A_KEY",
        ),
        (
            *(Operation.COMMIT, "refs/heads/main", Refusal.REF),
            "fanfold may not move refs/heads/main; allowed: refs/heads/f/*",
        ),
        (
            *(Operation.WRITE, "a.txt", Refusal.OPERATION),
            "fanfold may not write; allowed: none",
        ),
    ],
)
def test_a_denial_names_its_rule_and_what_is_allowed(
    operation: Operation, subject: str, refusal: Refusal, why: str
) -> None:
    assert OURS.decide(operation, subject) == Decision(False, why, refusal)


@pytest.mark.parametrize("operation", Operation)
def test_whoever_was_granted_nothing_may_do_nothing(operation: Operation) -> None:
    decision = Access("commands").decide(operation, "x:443")
    assert (decision.allowed, decision.refusal is None) == (False, False)
    assert decision.why.endswith("allowed: none")
