"""Secrets are found and taken out; what only looks like one is left alone. All keys are made up."""

from __future__ import annotations

import base64
import random
import string
import time
import uuid

import pytest

from fanfold.adapters.local.secrets import Secrets

LETTERS = string.ascii_letters + string.digits
scanner = Secrets()


def made_up(length: int, alphabet: str = LETTERS) -> str:
    return "".join(random.Random(length).choices(alphabet, k=length))


def private_key() -> str:
    body = base64.encodebytes(random.Random(0).randbytes(300)).decode()
    return f"-----BEGIN RSA {'PRIVATE'} KEY-----\n{body}-----END RSA {'PRIVATE'} KEY-----"


SECRETS = {
    "aws_access_key": lambda: "AKIA" + made_up(16, "ABCDEFGHIJ234567"),
    "aws_secret_key": lambda: f'aws_secret_access_key = "{made_up(40)}"',
    "anthropic_key": lambda: "sk-ant-" + "api03-" + made_up(90),
    "openai_key": lambda: "sk-" + "proj-" + made_up(60),
    "github_token": lambda: "ghp_" + made_up(36),
    "gitlab_token": lambda: "glpat-" + made_up(20),
    "slack_token": lambda: "xoxb-" + made_up(12, string.digits) + "-" + made_up(24),
    "stripe_key": lambda: "sk_" + "live_" + made_up(24),
    "google_key": lambda: "AIza" + made_up(35),
    "npm_token": lambda: "npm_" + made_up(36),
    "private_key": private_key,
    "secret_value": lambda: f'CLIENT_SECRET: "{made_up(32)}"',
    "url_password": lambda: f"postgres://app:{made_up(24)}@db.internal:5432/app",
}


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_found_at_its_line_and_redacted(kind: str) -> None:
    secret = SECRETS[kind]()
    text = f"first line\n  {secret}\nlast line\n"
    assert [(found.kind, found.line) for found in scanner.find(text)] == [(kind, 2)]
    redacted = scanner.redact(text)
    assert f"«redacted:{kind}»" in redacted
    assert redacted.startswith("first line\n")
    assert redacted.endswith("\nlast line\n")
    assert made_up(24) not in redacted
    assert scanner.find(redacted) == []


@pytest.mark.parametrize(
    "text",
    [
        f"TOKEN={made_up(32)}",
        f"export API_KEY={made_up(40)}",
        f'"password" => "{made_up(20)}",',
        f"private_key='{made_up(44)}'",
    ],
)
def test_a_random_value_with_a_telling_name_is_found(text: str) -> None:
    assert [found.kind for found in scanner.find(text)] == ["secret_value"]


@pytest.mark.parametrize(
    "text",
    [
        'integrity = "sha512-' + base64.b64encode(random.Random(1).randbytes(64)).decode() + '"',
        'hash = "sha256:' + random.Random(2).randbytes(32).hex() + '"',
        "index " + "a" * 40 + ".." + random.Random(3).randbytes(20).hex(),
        f'api_key = "{uuid.UUID(int=random.Random(4).getrandbits(128))}"',
        'token = os.environ["FANFOLD_TOKEN_OF_THE_DAY"]',
        'password = "your-password-goes-here-1"',
        'secret_name = "projects/one/secrets/two/versions/latest"',
        'API_KEY = "test-key-0000000000000001"',
        "AKIA" + "IOSFODNN7EXAMPLE",
        'if line.startswith("-----BEGIN PRIVATE KEY-----"):',
        "postgres://user:password@localhost:5432/db",
        "TOKEN=${{ secrets.GITHUB_TOKEN }}",
        "sk-learn-contrib-and-other-long-package-names-of-python",
        'tokenizer = "sentencepiece-unigram-32000-cased"',
        "secret: !Ref DatabaseSecretAttachment2",
    ],
)
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert scanner.find(text) == []
    assert scanner.redact(text) == text


def test_a_line_of_a_megabyte_takes_bounded_time() -> None:
    begin = time.perf_counter()
    for text in ("a" * 1_000_000, "secret = " * 100_000, "https://a:" * 100_000, "-" * 1_000_000):
        assert scanner.find(text) == []
    assert time.perf_counter() - begin < 10
