"""Redaction: secrets never reach the disk, and what is no secret stays as it was.

The tokens are put together here from pieces, so that scanners of secrets do not take this file for a leak.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esaa.kernel.canonical import compact
from esaa.redaction.note import Redaction
from esaa.redaction.redact import KINDS, _clean, redact, redact_text
from esaa.redaction.secret_shapes import is_suspicious
from tests.properties.strategies import JSON
from tests.trail.metadata_examples import EXAMPLES

RANDOM = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dF2hJ4"
HEX = "4f2d9c0b8f3a7e6d5c4b3a2918070605"
PEM_BODY = "\n".join(["MIIEowIBAAKCAQEA" + RANDOM, RANDOM + RANDOM, "q" + RANDOM + "=="])


def pem(name: str, newline: str = "\n", *, end: bool = True) -> str:
    """A private key that opens nothing."""
    lines = [f"-----BEGIN {name}-----", *PEM_BODY.split("\n"), *([f"-----END {name}-----"] if end else [])]
    return newline.join(lines)


JWT = "ey" + "JhbGciOiJIUzI1NiJ9" + ".ey" + "JzdWIiOiIxMjM0NTY3ODkwIn0." + RANDOM
AWS_ID = "AK" + "IAIOSFODNN7EXAMPLE"
AWS_KEY = "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY"
GITHUB = "gh" + "p_" + RANDOM

# (kind, text, the secret part of the text)
SECRETS: list[tuple[str, str, str]] = [
    ("age_key", "AGE-SECRET-" + "KEY-1" + "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L" * 2, "QPZRY9X8GF2T"),
    ("anthropic_key", "sk-" + f"ant-api03-{RANDOM}-AA", RANDOM),
    ("api_key", f"curl -H 'x-api-key: {RANDOM}' host", RANDOM),
    ("api_key", "X-Api-Key: swordfish", "swordfish"),
    ("api_key", "API_KEY='my key'", "my key"),
    ("api_key", "--api-key abc", "abc"),
    ("authorization", f"Authorization: Bearer {RANDOM}", RANDOM),
    ("authorization", "Authorization: Bearer short", "short"),
    ("authorization", 'curl -H "authorization: Basic dXNlcjpwYXNz" host', "dXNlcjpwYXNz"),
    ("authorization", f"Authorization: Token {RANDOM}", RANDOM),
    ("authorization", f"Authorization: {RANDOM}", RANDOM),
    ("authorization", f'Authorization: Digest username="ada", response="{HEX}"', HEX),
    ("authorization", f"sent Bearer {RANDOM} along", RANDOM),
    ("authorization", "sent Basic dXNlcjpwYXNzd29yZA== along", "dXNlcjpwYXNzd29yZA"),
    ("aws_access_key", f"key {AWS_ID}.", AWS_ID),
    ("aws_access_key", "AS" + AWS_ID[2:], AWS_ID[2:]),
    ("aws_secret_key", f"export AWS_SECRET_ACCESS_KEY={AWS_KEY}", AWS_KEY),
    ("aws_secret_key", f"{AWS_ID},{AWS_KEY}", AWS_KEY),
    ("azure_key", f"DefaultEndpointsProtocol=https;AccountName=x;AccountKey={RANDOM * 2}==;Suffix=x", RANDOM),
    ("azure_key", f"Endpoint=sb://x;SharedAccessKey={RANDOM}+abc=", RANDOM),
    ("connection_string", "Server=db;User Id=sa;Password=my own word;Encrypt=true", "own word"),
    ("connection_string", "Password=my own word;Data Source=db", "own word"),
    ("connection_string", "Host=db;Username=sa;Pwd=swordfish", "swordfish"),
    ("cookie", "Cookie: session=swordfish; theme=dark", "swordfish"),
    ("cookie", "Set-Cookie: sid=swordfish; Path=/", "swordfish"),
    ("github_token", f"cloned with {GITHUB}", RANDOM),
    *(("github_token", f"gh{letter}_{RANDOM}", RANDOM) for letter in "ousr"),
    ("github_token", "github_" + f"pat_11{RANDOM}_{RANDOM}", RANDOM),
    ("gitlab_token", "gl" + "pat-" + RANDOM[:20], RANDOM[:20]),
    ("google_key", "AI" + "za" + RANDOM[:35], RANDOM[:30]),
    ("google_key", "GOC" + "SPX-" + RANDOM, RANDOM),
    ("google_token", "ya" + "29." + RANDOM, RANDOM),
    ("jwt", f"the token {JWT} is old", RANDOM),
    ("jwt", JWT.rpartition(".")[0] + ".", "JzdWIiOiIxMjM0NTY3ODkwIn0"),
    ("npm_token", "np" + "m_" + RANDOM, RANDOM),
    ("openai_key", "sk-" + RANDOM + RANDOM[:12], RANDOM),
    ("openai_key", "sk-" + f"proj-{RANDOM}_{RANDOM}", RANDOM),
    ("password", "password=swordfish", "swordfish"),
    ("password", "password=db_password", "db_password"),
    ("password", "PASSWORD=12345", "12345"),
    ("password", "PGPASSWORD=a1 psql -h db", "a1"),
    ("password", "export DB_PASSWORD='sword fish'", "sword fish"),
    ("password", "MYSQL_PWD=swordfish", "swordfish"),
    ("password", "SMTP_PASS=swordfish", "swordfish"),
    ("password", "passwd: swordfish", "swordfish"),
    ("password", "user: ada\npassword: swordfish\nhost: db", "swordfish"),
    ("password", "password: hunter2 for the demo", "hunter2"),
    ("password", "passphrase: 'sword fish'", "sword fish"),
    ("password", "mysql --password swordfish -h db", "swordfish"),
    ("password", "mysql --password=swordfish -h db", "swordfish"),
    ("password", '{"user":"ada","password":"sword fish"}', "sword fish"),
    ("password", '{"password":"sword\\"fish"}', 'sword\\"fish'),
    ("password", r"{\"password\":\"sword \\\"fish\"}", "fish"),
    ("password", "<password>sword fish</password>", "sword fish"),
    ("password", "**Password:** hunter2", "hunter2"),
    ("password", "password=p@ss,w0rd!", "w0rd"),
    ("password", "?user=ada&password=swordfish&x=1", "swordfish"),
    *(("private_key", f"found {pem(f'{kind}PRIVATE KEY')} here", RANDOM) for kind in ("", "RSA ", "EC ", "OPENSSH ")),
    ("private_key", pem("ENCRYPTED PRIVATE KEY", "\r\n"), RANDOM),
    ("private_key", pem("PGP PRIVATE KEY BLOCK"), RANDOM),
    ("private_key", pem("RSA PRIVATE KEY", "\\n"), RANDOM),
    ("private_key", pem("RSA PRIVATE KEY", end=False), RANDOM),
    ("pypi_token", "py" + "pi-AgEIcHlwaS5vcmc" + RANDOM, RANDOM),
    ("secret", "CLIENT_SECRET=swordfish", "swordfish"),
    ("secret", "secret: hunter2", "hunter2"),
    ("secret", 'client_secret = "sword fish"', "sword fish"),
    ("secret", "SECRET_KEY_BASE=swordfish", "swordfish"),
    ("sendgrid_key", "S" + f"G.{RANDOM[:22]}.{RANDOM}", RANDOM),
    ("slack_token", "xo" + f"xb-123456789012-1234567890123-{RANDOM[:24]}", RANDOM[:24]),
    ("slack_token", "xa" + f"pp-1-A0123-123-{RANDOM}", RANDOM),
    ("slack_token", "https://hooks.slack.com/services/" + f"T00000000/B00000000/{RANDOM[:24]}", RANDOM[:24]),
    ("stripe_key", "sk_" + f"live_{RANDOM}", RANDOM),
    ("stripe_key", "rk_" + f"live_{RANDOM}", RANDOM),
    ("token", "token=abc123", "abc123"),
    ("token", "GITLAB_TOKEN=swordfish", "swordfish"),
    ("token", f"token: {HEX}", HEX),
    ("token", 'env["API_TOKEN"] = "abc"', "abc"),
    ("token", "https://host/?access_token=abcdef&x=1", "abcdef"),
    ("twilio_key", "S" + f"K{HEX}", HEX),
    ("url_password", "postgres://ada:swordfish@db:5432/app", "swordfish"),
    ("url_password", "redis://:sword@fish@db:6379", "sword@fish"),
    ("url_password", f"git clone https://x-access-token:{RANDOM}@host/repo", RANDOM),
    ("url_password", f"https://{RANDOM}@host/repo", RANDOM),
    ("url_password", "curl -u ada:swordfish https://host", "swordfish"),
]

CLEAN = [
    "the password is checked",
    "token refresh",
    "Add integration tests for token refresh",
    "Test error scenarios (invalid credentials, expired tokens)",
    "Email/password input validation",
    "Fix password: validation of the form",
    "password: at least 8 characters",
    "Password: required",
    "feat(auth): token: refresh v2 flow",
    "the secret: never give up",
    "use --token to log in",
    "total_tokens: 1200, input_tokens=500, token_count=3, max_token=512",
    "next_page_token=abc123",
    "secret_scan: passed",
    "hardcoded_secret",
    "tokenizer: cl100k1",
    "password: string;",
    "def login(password: str, token: str = None):",
    "token = get_token()",
    "password=getpass.getpass()",
    "const token = await fetch(url)",
    "self.token = token",
    'api_key=os.environ["API_KEY"]',
    "password=config.password",
    "if token == expected:",
    "token: Optional[str] = None",
    "secret: SecretStr",
    "Token::Kind",
    "password=${DB_PASSWORD}",
    "token=$GITHUB_TOKEN",
    "token=api_key",
    "token: ${{ secrets.GITHUB_TOKEN }}",
    "password=<password>",
    "password=***",
    "Authorization: required",
    "Authorization: Bearer <token>",
    "Bearer tokens are used",
    "Basic authentication is enough",
    "review_authorization=qa_role",
    "cookie: accepted",
    "https://github.com/org/repo/pull/456",
    "https://host:8080/path@version",
    "http://localhost:3000/@user",
    "git@github.com:org/repo.git",
    "https://user@host/repo",
    "docker run -u 1000:1000 image",
    "npm_config_registry=https://registry",
    "task-based-implementation-of-the-login-form",
    "risk_live_monitoring_of_everything",
    "a line with -----BEGIN PRIVATE KEY----- in it, and more",
    "-----BEGIN CERTIFICATE-----\n" + PEM_BODY + "\n-----END CERTIFICATE-----",
    "4f2d9c0b8f3a7e6d5c4b3a2918070605f4e3d2c1",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "3f2b1c4d-9a8b-4c7d-8e6f-1234567890ab",
    "aGVsbG8gd29ybGQgdGhpcyBpcyBhIHRlc3Qgb2YgYmFzZTY0IGVuY29kaW5nCg==",
    "src/auth/token.ts:45",
    "token: src/auth/token2.ts:45",
    "token: PROJ-123 rotates it",
    "public_key: abc123def",
    "key=value",
]

CLEAN_OBJECTS: list[dict[str, Any]] = [
    {"total_tokens": "1200", "tokens": "many", "token_count": "3", "input_tokens": 1200, "tokenizer": "cl100k1"},
    {"cost_per_token": "0.01", "max_token": "x", "nextPageToken": "abc123", "eos_token": "</s>"},
    {"type": "hardcoded_secret", "secret_scan": "passed", "secrets_found": 0, "password_policy": "strong"},
    {"password": None, "token": 12, "secret": True, "api_key": "", "credentials": {"user": "ada"}},
    {"password": "***", "token": "${TOKEN}", "api_key": "$API_KEY", "secret": "<secret>", "private_key": "none"},
    {"monkey": "abc", "key": "abc123def456", "public_key": "abc123", "author": "ada", "primary_key": "id"},
    {"authorized": "yes", "authorization_model": "rbac", "cookie_banner": "shown"},
]


@pytest.mark.parametrize(("kind", "text", "secret"), SECRETS)
def test_secret_in_text_is_taken_out(kind: str, text: str, secret: str) -> None:
    clean, notes = redact_text(text)
    assert secret in text
    assert secret not in clean
    assert f"[redacted:{kind}]" in clean
    assert [(note.kind, note.path) for note in notes if note.kind == kind] == [(kind, "")]
    assert redact_text(clean) == (clean, ())


@pytest.mark.parametrize(("kind", "text", "secret"), SECRETS)
def test_secret_in_metadata_is_taken_out(kind: str, text: str, secret: str) -> None:
    given_bytes = compact({"phase": "TEST", "output": ["ok", {"stderr": text}]})
    stored, notes = redact(given_bytes)
    clean = redact_text(text)[0]
    assert json.loads(stored) == {"phase": "TEST", "output": ["ok", {"stderr": clean}]}
    assert Redaction(kind=kind, path="/output/1/stderr", count=1) in notes
    assert redact(stored) == (stored, ())


def test_every_kind_has_an_example() -> None:
    assert {kind for kind, _, _ in SECRETS} == set(KINDS)


@pytest.mark.parametrize("text", CLEAN)
def test_ordinary_text_stays(text: str) -> None:
    assert redact_text(text) == (text, ())
    stored = compact({"text": text})
    assert redact(stored)[0] is stored


@pytest.mark.parametrize("value", CLEAN_OBJECTS)
def test_ordinary_keys_stay(value: dict[str, Any]) -> None:
    stored = compact(value)
    assert redact(stored) == (stored, ())
    assert redact(stored)[0] is stored


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        *((key, "password") for key in ("password", "PASSWORD", "passwd", "db_password", "userPassword", "password2")),
        *((key, "token") for key in ("token", "accessToken", "SESSION_TOKEN", "x-auth-token", "refresh token")),
        *((key, "api_key") for key in ("api_key", "apikey", "apiKey", "OPENAI_API_KEY", "x-api-key")),
        *((key, "secret") for key in ("secret", "client_secret", "clientSecret", "credentials", "credential")),
        *((key, "secret") for key in ("access_key", "secret_key", "signing_key", "webhook_secret")),
        *((key, "authorization") for key in ("authorization", "Authorization", "proxy-authorization")),
        *((key, "cookie") for key in ("cookie", "cookies", "Set-Cookie")),
        ("private_key", "private_key"),
        ("aws_secret_access_key", "aws_secret_key"),
        ("account_key", "azure_key"),
    ],
)
def test_value_under_a_name_that_announces_a_secret_is_taken_out_whole(key: str, kind: str) -> None:
    stored, notes = redact(compact({"config": {key: "some words, and more"}}))
    assert json.loads(stored) == {"config": {key: f"[redacted:{kind}]"}}
    assert notes == (Redaction(kind=kind, path=f"/config/{key}", count=1),)
    assert redact(stored) == (stored, ())


def test_whole_value_is_told_by_its_own_kind_where_it_has_one() -> None:
    stored, notes = redact(compact({"token": f"it is {GITHUB}", "authorization": f"Bearer {JWT}"}))
    assert json.loads(stored) == {"token": "[redacted:github_token]", "authorization": "[redacted:jwt]"}
    assert {(note.kind, note.path) for note in notes} == {("github_token", "/token"), ("jwt", "/authorization")}


def test_lists_and_objects_under_such_a_name() -> None:
    given_bytes = compact(
        {
            "cookies": ["a=b", "c=d"],
            "token": {"type": "bearer", "value": "abc"},
            "secret": [{"name": "x", "value": "y"}],
        }
    )
    stored, notes = redact(given_bytes)
    assert json.loads(stored) == {
        "cookies": ["[redacted:cookie]", "[redacted:cookie]"],
        "token": {"type": "bearer", "value": "[redacted:token]"},
        "secret": [{"name": "x", "value": "[redacted:secret]"}],
    }
    assert {note.path for note in notes} == {"/cookies/0", "/cookies/1", "/token/value", "/secret/0/value"}


def test_pairs_of_name_and_value() -> None:
    stored, notes = redact(compact([{"name": "DB_PASSWORD", "value": "swordfish"}, {"name": "HOST", "value": "db"}]))
    assert json.loads(stored)[0] == {"name": "DB_PASSWORD", "value": "[redacted:password]"}
    assert json.loads(stored)[1] == {"name": "HOST", "value": "db"}
    assert notes == (Redaction(kind="password", path="/0/value", count=1),)


def test_flag_in_a_list_of_arguments() -> None:
    stored, notes = redact(compact({"argv": ["mysql", "--password", "swordfish", "--password", "-h", "db"]}))
    assert json.loads(stored)["argv"] == ["mysql", "--password", "[redacted:password]", "--password", "-h", "db"]
    assert notes == (Redaction(kind="password", path="/argv/2", count=1),)


def test_keys_that_are_secrets_stay_apart_and_never_stand_in_a_path() -> None:
    other = GITHUB[:-1] + "x"
    given_bytes = compact({GITHUB: {"used": 1, "by": "password=swordfish"}, other: 2, "[redacted:github_token]": 3})
    stored, notes = redact(given_bytes)
    assert json.loads(stored) == {
        "[redacted:github_token]": {"used": 1, "by": "password=[redacted:password]"},
        "[redacted:github_token]#2": 2,
        "[redacted:github_token]#3": 3,
    }
    assert {note.path for note in notes} == {
        "/[redacted:github_token]",
        "/[redacted:github_token]#2",
        "/[redacted:github_token]/by",
    }
    assert redact(stored) == (stored, ())


def test_a_path_is_a_json_pointer() -> None:
    _, notes = redact(compact({"a/b": [{"c~d": {"": f"{GITHUB} and {GITHUB} and password=swordfish"}}]}))
    assert notes == (
        Redaction(kind="github_token", path="/a~1b/0/c~0d/", count=2),
        Redaction(kind="password", path="/a~1b/0/c~0d/", count=1),
    )


def test_several_secrets_of_one_text_are_counted_by_kind() -> None:
    text = f"{GITHUB} password=swordfish {AWS_ID}\npassword=other"
    clean, notes = redact_text(text)
    assert clean == (
        "[redacted:github_token] password=[redacted:password] [redacted:aws_access_key]\npassword=[redacted:password]"
    )
    assert {note.kind: note.count for note in notes} == {"github_token": 1, "aws_access_key": 1, "password": 2}


def test_text_that_only_begins_like_a_marker_hides_nothing() -> None:
    assert redact_text(f"[redacted:{GITHUB}")[0] == "[redacted:[redacted:github_token]"
    assert redact_text("[redacted:password=swordfish")[0] == "[redacted:password=[redacted:password]"
    assert redact_text(f"[redacted:{pem('RSA PRIVATE KEY')}")[0] == "[redacted:[redacted:private_key]"


def test_secret_inside_of_another_one_is_counted_once() -> None:
    text = "xo" + "xb-" + "sk-" + RANDOM
    clean, notes = redact_text(text)
    assert RANDOM not in clean
    assert sum(note.count for note in notes) == 1


def test_user_of_an_address_stays_beside_a_placeholder() -> None:
    text = "git clone https://x-access-token:${GITHUB_TOKEN}@github.com/org/repo"
    assert redact_text(text) == (text, ())
    assert redact_text("vault://token:swordfish1")[0] == "vault://token:[redacted:token]"


def test_basic_that_is_no_base64_stays() -> None:
    for text in ("Basic abcdefghi", "Basic dXNlcm5hbWU="):
        assert redact_text(text) == (text, ())


def test_escapes_hide_nothing() -> None:
    escaped = b'{"\\u0070assword":"\\u0073wordfish","url":"https:\\/\\/ada:swordfish@host"}'
    stored, notes = redact(escaped)
    assert b"wordfish" not in stored
    assert {note.kind for note in notes} == {"password", "url_password"}


def test_numbers_keep_their_value() -> None:
    value = {
        "password": "swordfish",
        "numbers": [1.5, 1e300, -0.0, 12345678901234567890123, 0],
        "yes": True,
        "no": None,
    }
    stored, _ = redact(compact(value))
    assert json.loads(stored) == value | {"password": "[redacted:password]"}


def test_bytes_that_are_no_json_do_not_pass_with_a_secret() -> None:
    with pytest.raises(msgspec.DecodeError):
        redact(b'{"password":"swordfish"')


def test_lone_surrogates_do_not_stop_it() -> None:
    assert redact_text("\ud800 password=swordfish")[0] == "\ud800 password=[redacted:password]"


def test_real_logs_hold_no_secret(real_logs: Path) -> None:
    payloads = 0
    for path in sorted(real_logs.glob("*/activity.jsonl")):
        for line in path.read_bytes().splitlines():
            if not line.strip():
                continue
            stored = compact(msgspec.json.decode(line))
            assert redact(stored)[0] is stored, line[:200]
            payloads += 1
    assert payloads > 2000


def test_metadata_of_the_specification_holds_no_secret(real_logs: Path) -> None:
    text = (real_logs.parent / "seeds" / "event-sourcing-orchestrator.md").read_text("utf-8")
    blocks = [block for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL) if '"metadata"' in block]
    assert len(blocks) > 25
    for block in blocks:
        stored = compact(block)
        assert redact(stored)[0] is stored, block


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_examples_of_all_event_types_hold_no_secret(name: str) -> None:
    stored = compact(EXAMPLES[name])
    assert redact(stored)[0] is stored


ADVERSARIAL = [
    *("a", " ", "-", "=", '"', "'", "\\", '\\"', "://", "eyJ", "eyJaaaaaaaa.", "sk-", "gh" + "p_", "-u a:b ", "--"),
    *("password", "password=", "password: ", 'password="', "password='a", '\\"password\\":\\"', "password=a;"),
    *("token=token=", "token=f(", "token=a.", "token: a/b.", " --password", "<password>a", "server=;password=a;"),
    *("[redacted:token]: a1b2c3d4 ", "[redacted:", "authorization: digest x ", "cookie:a=b", "Bearer aaaaaaaa "),
    *("-----BEGIN PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----\nAAAA", "://a:b", "://a:b@", "secret access key"),
]


@pytest.mark.parametrize("piece", ADVERSARIAL)
def test_adversarial_text_costs_no_more_than_its_length(piece: str) -> None:
    text = (piece * (100_000 // len(piece))) + f" {GITHUB}\npassword=swordfish"
    began = time.process_time()
    clean, _ = redact_text(text)
    spent = time.process_time() - began
    assert RANDOM not in clean
    # Anything that is quadratic takes minutes here; the slowest of these takes half a second on a slow machine.
    assert spent < 20


@pytest.mark.parametrize("piece", ["a", "token: x ", "\\", "eyJ"])
def test_megabytes_are_read_in_seconds(piece: str) -> None:
    metadata = compact({"text": piece * (1_000_000 // len(piece)) + f" {GITHUB}"})
    began = time.process_time()
    stored, _ = redact(metadata)
    assert RANDOM.encode() not in stored
    assert time.process_time() - began < 60


PIECES = st.sampled_from(
    [
        *("password", "PASSWORD", "Token", "secret", "api_key", "API-KEY", "access key", "_pwd", "-pwd", "_PASS"),
        *("Cookie", "authorization", "Bearer", "basic", "digest", "curl", "-u", "--user", "--", "name", "key", "next_"),
        *("=", ":", "=>", ":=", "==", "::", " ", "\t", "\u00a0", "\n", '"', "'", "`", '"""', "\\", '\\"', '\\\\"'),
        *("]", "[", "{", "}", "(", ")", "<", ">", "</", "&", ";", ",", ".", "/", "://", "@", "#", "*", "$", "?"),
        *("swordfish", "abc", "host", "1234", "12", "str", "None", "${X}", "$TOKEN", "get()", "self.token", RANDOM),
        *(GITHUB, JWT, AWS_ID, AWS_KEY, "Server=", "User Id=", "[redacted:password]", "[redacted:", "é", "\x1b", "K"),
        *("-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----", "dXNlcjpwYXNzd29yZA==", "a=b", "value"),
    ]
)
TEXTS = st.lists(PIECES, min_size=1, max_size=14).map("".join)
DOCUMENTS: st.SearchStrategy[Any] = st.recursive(
    TEXTS | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS | st.just("value"), inner, max_size=4),
    max_leaves=10,
)


@settings(deadline=None)
@given(TEXTS)
def test_the_quick_look_misses_nothing(text: str) -> None:
    _, kinds = _clean(text)
    if kinds:
        assert is_suspicious(text)
        assert is_suspicious(compact(text).decode())


@settings(deadline=None)
@given(DOCUMENTS)
def test_redacting_twice_finds_nothing_new(value: Any) -> None:
    stored, notes = redact(compact(value))
    again, more = redact(stored)
    assert again is stored
    assert more == ()
    assert all(note.kind in KINDS and note.count > 0 for note in notes)


@settings(deadline=None)
@given(DOCUMENTS)
def test_the_structure_stays(value: Any) -> None:
    def shape(one: Any) -> Any:
        if isinstance(one, dict):
            return [shape(inner) for inner in one.values()]
        if isinstance(one, list):
            return [shape(inner) for inner in one]
        return "text" if isinstance(one, str) else one

    assert shape(json.loads(redact(compact(value))[0])) == shape(value)


@settings(deadline=None)
@given(JSON | DOCUMENTS)
def test_bytes_are_made_anew_only_where_something_was_found(value: Any) -> None:
    given_bytes = compact(value)
    stored, notes = redact(given_bytes)
    assert (stored is given_bytes) == (not notes)


@settings(deadline=None)
@given(
    secret=st.sampled_from(SECRETS),
    before=st.sampled_from(["", "prose ", "a line\n", "(", '"', "x: ", "é "]),
    after=st.sampled_from(["", " prose", "\nnext line", "\n", " é"]),
    wrap=st.lists(st.sampled_from(["list", "object", "json"]), max_size=3),
)
def test_no_secret_remains_however_it_is_wrapped(
    secret: tuple[str, str, str], before: str, after: str, wrap: list[str]
) -> None:
    _, text, hidden = secret
    value: Any = before + text + after
    for how in wrap:
        value = [value] if how == "list" else {"inner": value} if how == "object" else {"body": [value, 1]}
    stored, notes = redact(compact(value))
    assert compact(hidden)[1:-1] not in stored, stored
    assert notes
