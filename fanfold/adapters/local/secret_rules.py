"""The shapes of secrets that the library's catalog lacks, or takes for one in company only.

Keys of models in any length, an AWS key without its other half, keys that are cut off, and values
that look drawn at random below a name that says what they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import log2

import msgspec

WORD = r"(?<![A-Za-z0-9_-])"
NO_MORE = r"(?![A-Za-z0-9_-])"
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
HEX = re.compile(r"[0-9a-fA-F]+")
OPAQUE = re.compile(r"[A-Za-z0-9+/=_.~!@#^&*-]+")
PLACEHOLDER = re.compile(
    r"example|placeholder|your|change.?me|dummy|fake|sample|redacted|xxxx|\*\*\*|\.\.\.|0{6}"
    r"|1234567|abcdef|foobar|insert|replace|test|secret|token|passw|credential",
    re.IGNORECASE,
)
MIN_ENTROPY_HEX, MIN_ENTROPY = 3.0, 3.6
MIN_DIGITS = 2
LONGEST_NAME = 64


class Rule(msgspec.Struct, frozen=True):
    """A kind of secret: the group `secret` of `pattern`, or its whole match.

    The pattern is tried where one of `hints` is in the text; what `accepts` turns down is none, nor
    what does not stand right behind a `name`.
    """

    kind: str
    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    accepts: Callable[[str], bool] | None = None
    name: re.Pattern[str] | None = None


def _vendor(kind: str, hints: tuple[str, ...], pattern: str) -> Rule:
    return Rule(kind, hints, re.compile(WORD + pattern + NO_MORE), is_no_example)


def is_no_example(value: str) -> bool:
    return "EXAMPLE" not in value


def entropy(value: str) -> float:
    """Shannon entropy, in bits a character."""
    return -sum(
        share * log2(share) for share in (value.count(char) / len(value) for char in set(value))
    )


def is_random(value: str) -> bool:
    """Whether a value looks drawn at random: no word, path, placeholder, UUID or expression."""
    if UUID.fullmatch(value) or PLACEHOLDER.search(value) or not OPAQUE.fullmatch(value):
        return False
    if HEX.fullmatch(value):
        return len(value) >= 32 and entropy(value) >= MIN_ENTROPY_HEX
    has_both = sum(map(str.isdigit, value)) >= MIN_DIGITS and any(map(str.isalpha, value))
    parts = re.split(r"[-_./]", value)
    is_worded = len(parts) > 2 and max(map(len, parts)) < 12
    return has_both and not is_worded and entropy(value) >= MIN_ENTROPY


PRIVATE_KEY = Rule(
    "private_key",
    ("PRIVATE KEY",),
    re.compile(
        r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:\\n|\\r|[\s\"'+,\\#>|*/]){1,200}(?:[A-Za-z-]{1,30}: [^\n]{0,200}\n\s{0,200}){0,5}"
        r"[A-Za-z0-9+/=]{16}"
        r"(?:(?!-----)[\s\S]){0,20000}(?:-----END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----)?"
    ),
)
VENDORS = (
    _vendor("aws_access_key", ("AKIA", "ASIA", "ABIA", "ACCA"), r"A(?:KI|SI|BI|CC)A[A-Z2-7]{16}"),
    _vendor("anthropic_key", ("sk-ant-",), r"sk-ant-[A-Za-z0-9]{2,10}-[A-Za-z0-9_-]{16,200}"),
    _vendor("openai_key", ("sk-",), r"sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{20,250}"),
    _vendor("github_token", ("github_pat_",), r"github_pat_[A-Za-z0-9]{20,30}_[A-Za-z0-9]{50,70}"),
    _vendor("gitlab_token", ("gl",), r"gl(?:pat|dt|rt|ptt|cbt|ft|soat)-[A-Za-z0-9_-]{20,64}"),
    _vendor("slack_token", ("xox", "xapp-"), r"(?:xox[abeoprs]|xapp)-[0-9A-Za-z-]{10,250}"),
    _vendor("google_secret", ("GOCSPX-",), r"GOCSPX-[A-Za-z0-9_-]{28}"),
    _vendor("telegram_token", (":AA",), r"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}"),
    _vendor("age_key", ("AGE-SECRET-KEY-",), r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    Rule(
        "azure_key",
        ("AccountKey=",),
        re.compile(r"AccountKey=(?P<secret>[A-Za-z0-9+/]{86}==)"),
    ),
    Rule(
        "aws_secret_key",
        ("aws", "AWS", "Aws"),
        re.compile(r"(?:=>?|:)\s{0,5}[\"']?(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"),
        is_no_example,
        re.compile(r"(?i:aws[a-z0-9_.-]{0,20}(?:secret|sk)[a-z0-9_.-]{0,20})[\"']?\s{0,5}\Z"),
    ),
)
NAMED = (
    Rule(
        "secret_value",
        ("ecret", "ECRET", "oken", "OKEN", "assw", "ASSW", "key", "Key", "KEY", "redential"),
        re.compile(r"[=:][=>]?\s{0,5}[bru]?(?P<quote>[\"'])(?P<secret>[^\"'\s]{16,200})(?P=quote)"),
        is_random,
        re.compile(
            r"(?i:secret|token|passw(?:or)?d|passphrase|credential|api[_-]?key|access[_-]?key"
            r"|auth[_-]?key|encryption[_-]?key|signing[_-]?key|private[_-]?key)"
            r"(?i:s|[_-]?(?:key|value))?[\"']?\s{0,5}\Z"
        ),
    ),
    Rule(
        "secret_value",
        ("ECRET", "OKEN", "ASSW", "KEY"),
        re.compile(
            r"^(?:export )?[A-Z0-9_]{0,60}(?:SECRET|TOKEN|PASSWORD|PASSWD|API_?KEY|ACCESS_?KEY)"
            r"[A-Z0-9_]{0,20}=(?P<secret>[^\"'\s]{16,200})$",
            re.MULTILINE,
        ),
        is_random,
    ),
)
RULES = (PRIVATE_KEY, *VENDORS, *NAMED)
