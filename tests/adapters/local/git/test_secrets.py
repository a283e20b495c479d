"""Each kind of secret is found in added lines, masked; what only looks like one is let go."""

import pytest

from swarm.adapters.local.git.secrets import LINE_LIMIT, mask, secrets_in

pytestmark = pytest.mark.req("GATE-3")

# Taken apart, so that no scanner takes this file for a leak.
FOUND = {
    "AWS Access Key": "key = AKIA" + "IOSFODNN7EXAMPLE",
    "GitHub Token": "gh" + "p_" + "a1B2c3D4e5F6g7H8i9J0" + "k1L2m3N4o5P6q7R8",
    "Anthropic Key": "sk-" + "ant-api03-" + "a1B2c3D4e5F6g7H8i9J0" * 4,
    "OpenAI Key": "sk-" + "proj-" + "a1B2c3D4e5F6g7H8i9J0" * 4,
    "Google API Key": "AI" + "za" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6q",
    "Hugging Face Token": "h" + "f_" + "aBcDeFgHiJ" * 3 + "kLmN",
    "Vault Token": "hv" + "s." + "CAESIJ1a2b3c4d5e6f7g8h9i",
    "GitLab Token": "glp" + "at-" + "a1B2c3D4e5F6g7H8i9J0",
    "Slack Token": "xo" + "xb-123456789012-123456789012-" + "a1b2c3d4e5f6g7h8i9j0k1l2",
    "Stripe Access Key": "sk" + "_live_" + "a1B2c3D4e5F6g7H8i9J0k1L2",
    "Private Key": "-----BEGIN " + "OPENSSH PRIVATE KEY-----",
    "SendGrid API Key": "SG." + "a" * 22 + "." + "b" * 43,
    "Telegram Bot Token": "110201543:" + "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1",
    "Twilio API Key": "AC" + "a1b2c3d4e5f6" + "a1b2c3d4e5f6a1b2c3d4",
    "Mailchimp Access Key": "a1b2c3d4e5f6a1b2" + "c3d4e5f6a1b2c3d4-us10",
    "Azure Storage Account access key": "AccountKey=" + "a" * 86 + "==",
    "NPM tokens": "//registry.example/:_authToken=npm_" + "x" * 20,
    "JSON Web Token": "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxIn0." + "c2lnbmF0dXJl",
    "Basic Auth Credentials": "postgres://admin:" + "tr0ub4dor3xyz@db.internal/x",
    "Secret Keyword": "password = '" + "tr0ub4dor&3xyz'",
    "Artifactory Credentials": ' "AKCp8' + 'a1b2c3d4e5f6" ',
}


@pytest.mark.parametrize("rule", FOUND)
def test_a_secret_is_found_by_its_rule_and_masked(rule):
    line = FOUND[rule]
    found = secrets_in("src/a.py", "", f"first\n{line}\n")
    assert (rule, 2) in {(seen.rule, seen.line) for seen in found}, found
    for seen in found:
        assert len(seen.masked.partition("***")[0]) <= 4


@pytest.mark.parametrize("rule", FOUND)
def test_a_secret_that_was_there_before_is_not_the_patchs(rule):
    line = FOUND[rule]
    assert secrets_in("src/a.py", f"{line}\n", f"more\n{line}\n") == ()


@pytest.mark.parametrize("at", [0, LINE_LIMIT - 20, LINE_LIMIT - 300, 3 * LINE_LIMIT])
def test_a_secret_anywhere_in_a_very_long_line_is_found(at):
    line = " " * at + FOUND["GitHub Token"] + " " * 100
    assert [seen.rule for seen in secrets_in("a.js", "", line)] == ["GitHub Token"]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.py", "password = os.environ['PASSWORD']"),
        ("a.py", "password = '<your-password>'"),
        ("a.py", "secret = '${SECRET_FROM_VAULT}'"),
        ("a.py", "api_key = 'changeme'"),
        ("tests/test_a.py", "password = 'tr0ub4dor&3xyz'"),
        ("README.md", "postgres://user:tr0ub4dor3xyz@localhost/x"),
        ("a.py", "digest = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'"),
        ("poetry.lock", "hash = sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7"),
        ("a.py", "NAME = 'APACHEFOUNDATION'"),
        ("a.py", "commit = '3ea1da7a65be1e189885c1865caa670945656a89'"),
    ],
)
def test_what_only_looks_like_a_secret_is_let_go(path, line):
    assert secrets_in(path, "", line) == ()


@pytest.mark.parametrize("length", [0, 1, 3, 4, 15, 16, 400])
def test_a_mask_shows_at_most_a_quarter_and_four_characters(length):
    shown = mask("x" * length).partition("***")[0]
    assert len(shown) <= min(4, length // 4)


def test_a_fine_grained_token_is_found_too():
    token = "github" + "_pat_" + "11ABCDEFG0" + "a1B2c3D4e5" * 7
    assert [seen.rule for seen in secrets_in("a.py", "", token)] == ["GitHub Token"]
