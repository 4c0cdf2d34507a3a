"""Secrets are found and taken out; what only looks like one is left alone. All keys are made up."""

from __future__ import annotations

import base64
import random
import string
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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
    "github_pat": lambda: "ghp_" + made_up(36),
    "gitlab_token": lambda: "glpat-" + made_up(20),
    "slack_token": lambda: "xoxb-" + made_up(12, string.digits) + "-" + made_up(24),
    "stripe_access_token": lambda: "sk_" + "live_" + made_up(24),
    "gcp_api_key": lambda: "AIza" + made_up(35),
    "npmjsaccesstoken": lambda: "npm_" + made_up(36),
    "private_key": private_key,
    "secret_value": lambda: f'CLIENT_SECRET: "{made_up(32)}"',
    "generic_credential_uri": lambda: f"postgres://app:{made_up(24)}@db.internal:5432/app",
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


@pytest.mark.parametrize("before", ["é𝄞", "\udcff\udcfe", "\ufeff", "\0\0", "a\r\n"])
def test_what_stands_before_a_secret_stays_as_it_is(before: str) -> None:
    secret = SECRETS["github_pat"]()
    assert scanner.redact(f"{before} {secret} é") == f"{before} «redacted:github_pat» é"


@pytest.mark.parametrize("after", [".example.com:443", "&x=1", ")", ", then", "</a>", "/x", "?"])
def test_what_stands_behind_a_secret_hides_none(after: str) -> None:
    secret = "dapi" + random.Random(7).randbytes(16).hex()
    assert scanner.redact(f"({secret}{after}") == f"(«redacted:databricks_api_token»{after}"


def test_a_coded_secret_goes_with_all_that_it_is_coded_in() -> None:
    coded = base64.b64encode(f"the token is {SECRETS['github_pat']()}, use it".encode()).decode()
    assert scanner.redact(f"data = '{coded}'") == "data = '«redacted:github_pat»'"


@pytest.mark.parametrize("plea", ["kingfisher:ignore", "betterleaks:allow", "gitleaks:allow"])
def test_no_comment_lets_a_secret_pass(plea: str) -> None:
    assert scanner.find(f"key = '{SECRETS['github_pat']()}'  # {plea}")


def test_of_secrets_that_overlap_nothing_is_left() -> None:
    key = private_key()
    assert "BEGIN" not in scanner.redact(f"{key}\n{key}")
    named = f'TOKEN = "{SECRETS["gitlab_token"]()}"'
    assert made_up(20) not in scanner.redact(named)


def test_threads_share_one_catalog() -> None:
    texts = [f"{n} {SECRETS['github_pat']()}" for n in range(40)]
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(scanner.redact, texts))
    assert told == [f"{n} «redacted:github_pat»" for n in range(40)]


def test_the_catalog_is_loaded_with_the_first_text() -> None:
    loaded = "print('kingfisher_sdk' in sys.modules)"
    code = "import sys; from fanfold.adapters.local.secrets import Secrets; s = Secrets()"
    code = f"{code}; {loaded}; s.find('x'); {loaded}"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False", "True"]


def test_our_own_repository_holds_none() -> None:
    root = Path(__file__).parents[3]
    places = [*(root / "fanfold").rglob("*.py"), *(root / "docs").rglob("*.md"), root / "uv.lock"]
    found = {str(p): scanner.find(p.read_text("utf-8")) for p in places}
    assert {place: findings for place, findings in found.items() if findings} == {}


def test_a_line_of_a_megabyte_takes_bounded_time() -> None:
    begin = time.perf_counter()
    for text in ("a" * 1_000_000, "secret = " * 100_000, "https://a:" * 100_000, "-" * 1_000_000):
        assert scanner.find(text) == []
    assert time.perf_counter() - begin < 10


def test_a_known_value_is_taken_out_wherever_it_stands_by_its_name() -> None:
    value = "correct horse " + "battery"
    known = Secrets({"A_TOKEN": value, "SHORT": "abc"})
    assert known.redact(f"x{value}y {value}, abc") == "x«redacted:A_TOKEN»y «redacted:A_TOKEN», abc"
    assert [(f.kind, f.line) for f in known.find(f"\n{value}")] == [("A_TOKEN", 2)]
    assert value not in repr(known)
