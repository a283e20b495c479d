"""What the trading verbs refuse, and what they do while nobody trades."""

import json
import re

import pytest

from swarm.regime.controls.assessment import REQUIRED
from swarm.runtime.trading.kill_file import KillFile

from .firm import firm, token

__all__ = ["firm"]
pytestmark = pytest.mark.req("REG-10")


def test_limits_come_into_force_only_as_somebody_else_signed_them(firm):
    file = firm.limits()
    assert "SWM861" in firm("limits", "show").err
    for by, why in (
        ("ada", "wrote this set"), ("sol", "may not sign-limits"), ("bot", "may not sign-limits"),
    ):  # fmt: skip
        said = firm("limits", "sign", file, "--key", firm.keys[by])
        assert (said.code, "SWM689" in said.err, why in said.err) == (4, True, True), said.err
    assert firm("limits", "load", file).code == 1, "no signature is there"
    assert firm.in_force().code == 0
    assert firm("limits", "show", "-o", "json").json["signer"] == "ben"
    assert "signed by ben" in firm("limits", "show").out
    # Signed once is not signed for another text.
    other = firm.limits(2)
    signed = file.with_name(f"{file.name}.sig")
    assert "nobody may not sign limits" in firm("limits", "load", other, "--signature", signed).err
    firm.in_force(2)
    older = firm("limits", "load", file)
    assert (older.code, "older than 2" in older.err) == (1, True)
    firm.limits(2, currency="EUR")
    assert firm("limits", "sign", other, "--key", firm.keys["ben"]).code == 0
    assert "two different sets carry version 2" in firm("limits", "load", other).err
    assert firm("limits", "load", firm.limits(3, author="ben"), "--signature", signed).code == 1


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe", id="no-text"),
        pytest.param(b"[]", id="no-set"),
        pytest.param(b'{"schema": 1, "limits": {}}', id="nothing-in-it"),
        pytest.param(b"[" * 100_000, id="deep"),
    ],
)
def test_a_file_that_is_no_limit_set_is_refused_by_name(firm, text):
    file = firm.home.folder / "bad.json"
    file.write_bytes(text)
    for words in (("sign", file, "--key", firm.keys["ben"]), ("load", file)):
        said = firm("limits", *words)
        assert (said.code, said.out) == (1, "")
        assert "error SWM" in said.err
        assert "Traceback" not in said.err


def misspelt(text):
    return text.replace(b'"firm":', b'"frim":1,"firm":', 1)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        pytest.param(misspelt, "limits.frim: no limit has this name", id="a-stranger"),
        pytest.param(
            lambda text: text.replace(b'"share_ppm":', b'"ticsk":1,"share_ppm":', 1),
            "limits.instruments.0.collar.ticsk: no limit", id="a-stranger-far-below",
        ),
        pytest.param(
            lambda text: text.replace(b'"firm":', b'"firm":1,"firm":', 1),
            "'firm' comes twice", id="a-field-twice",
        ),
        pytest.param(
            lambda text: re.sub(b'"firm":[0-9]+', b'"firm":NaN', text, count=1),
            "NaN is no number", id="nan",
        ),
        pytest.param(
            lambda text: text.replace(b'"firm":1', b'"firm":-1', 1), "firm: -1", id="less-than-none"
        ),
        pytest.param(
            lambda text: text.replace(b'"firm":1', b'"firm":0.1', 1), "limits.firm:", id="a-part"
        ),
        pytest.param(lambda text: text.replace(b'"firm":', b'"f":', 1), "limits.firm:", id="none"),
        pytest.param(lambda text: text[:900], "no JSON", id="cut"),
        pytest.param(lambda text: text.replace(b'"schema":1', b'"schema":2'), "schema", id="later"),
    ],
)  # fmt: skip
def test_a_set_that_says_more_or_less_than_limits_is_refused_by_its_field(firm, change, names):
    """Who signs a set must be able to trust that every word of it holds."""
    file = firm.limits()
    text = file.read_bytes()
    file.write_bytes(change(text))
    assert file.read_bytes() != text
    for words in (("sign", file, "--key", firm.keys["ben"]), ("load", file)):
        said = firm("limits", *words)
        assert (said.code, names in said.err) == (1, True), said.err
        assert "have the set signed again" in said.err
    assert not file.with_name(f"{file.name}.sig").exists()


def test_what_is_no_key_signs_nothing(firm, tmp_path):
    for content in (b"", b"-----BEGIN OPENSSH PRIVATE KEY-----\n", firm.limits().read_bytes()):
        (tmp_path / "key").write_bytes(content)
        said = firm("limits", "sign", firm.limits(), "--key", tmp_path / "key")
        assert (said.code, "SWM688" in said.err) == (1, True), said.err
    assert firm("limits", "sign", firm.limits(), "--key", tmp_path / "none").code == 1


def test_while_nobody_trades_every_question_says_so(firm):
    order = firm.order("o-1")
    for words in (
        ("status",),
        ("send", order),
        ("undo", "k-1", "--token", token(firm, "k-1", "t")),
    ):
        said = firm(*words)
        assert (said.code, "SWM685" in said.err) == (1, True), said.err


def test_a_kill_holds_with_nobody_there_and_says_what_it_could_not_do(firm):
    said = firm("kill", "--reason", "odd fills", "-o", "json")
    assert said.code == 3
    assert list(said.json["silent"]) == ["paper"]
    assert said.json["unseen"]
    (held,) = KillFile(firm.home.trading / "kills").read()
    assert (held.kill, held.scope, held.by) == (said.json["kill"], "*", "tom")
    assert "telephone it" in firm("kill", "--reason", "again").out


def test_no_mistake_in_another_table_is_in_the_way_of_a_kill(firm):
    firm.home.file.write_text(firm.home.file.read_text() + "\n[agents]\nnonsense = 1\n")
    assert firm("assess").code == 1
    assert firm("kill", "--reason", "r").code == 3
    assert len(KillFile(firm.home.trading / "kills").read()) == 1
    firm.home.file.write_text(firm.home.file.read_text().replace("1000000", "0"))
    said = firm("kill", "--reason", "r")
    assert (said.code, "trading.capital" in said.err) == (1, True), said.err


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        pytest.param(("--reason", " "), 2, "--reason", id="no-reason"),
        pytest.param(("--reason", "x" * 501), 2, "501 characters", id="a-long-reason"),
        pytest.param(("--reason", "r", "--scope", "desk:a"), 2, "account:NAME", id="no-scope"),
        pytest.param(("--reason", "r", "--scope", "account:"), 2, "account:NAME", id="no-name"),
        pytest.param(("--reason", "r", "--scope", "venue:x"), 2, "there are: paper", id="no-venue"),
        pytest.param(("--reason", "r", "--wait", "soon"), 2, "--wait", id="no-span"),
    ],
)
def test_a_kill_of_nothing_is_refused(firm, words, code, why):
    said = firm("kill", *words)
    assert (said.code, why in said.err) == (code, True), said.err
    assert not (firm.home.trading / "kills").exists()


def test_only_listed_people_stop_trading(firm):
    listed = f'account = "{firm.account}"'
    text = firm.home.file.read_text()
    assert listed in text
    firm.home.file.write_text(text.replace(listed, 'account = "uncle"'))
    said = firm("kill", "--reason", "r")
    assert (said.code, "SWM689" in said.err) == (4, True), said.err


def test_tokens_are_made_by_whoever_may_and_for_an_hour_at_most(firm, tmp_path):
    out = tmp_path / "token.json"

    def made(subject="k-1", by="sol", *more):
        return firm("token", subject, "--key", firm.keys[by], "--out", out, *more)

    assert made(by="tom").code == 4
    assert made("x-1").code == 2
    assert made("k-1", "sol", "--lasts", "2h").code == 2
    assert made("b-1", "sol").code == 4, "clearing a break is the risk function's"
    assert made().code == 0
    assert made().code == 1, "a token is never replaced"
    said = json.loads(out.read_text())["token"]
    assert (said["act"], said["subject"], said["by"]) == ("lift-kill", "k-1", "sol")
    assert said["expires_ns"] - said["issued_ns"] == 600 * 10**9
    assert out.stat().st_mode & 0o077 == 0
    assert "not for k-2" in firm("undo", "k-2", "--token", out).err
    out.write_text('{"token": {}}')
    assert "SignedToken: token.act" in firm("undo", "k-1", "--token", out).err


def test_an_override_is_signed_by_the_two_it_names(firm, tmp_path):
    order, out = firm.order("o-1"), tmp_path / "override.json"

    def signed(by, *more, of=order):
        return firm("override", of, "--key", firm.keys[by], "--out", out, *more)

    names = ("--verified-by", "ben", "--authorised-by", "sol")
    assert signed("ben").code == 2
    assert signed("ben", "--control", "kill", *names).code == 2
    same = ("--verified-by", "ben", "--authorised-by", "ben")
    assert signed("ben", "--control", "collar", *same).code == 2
    assert signed("ben", "--control", "collar", *names, "--lasts", "16m").code == 2
    assert signed("tom", "--control", "collar", *names).code == 4
    swapped = ("--verified-by", "sol", "--authorised-by", "ben")
    assert signed("ben", "--control", "collar", *swapped).code == 4
    assert not out.exists()
    assert signed("ben", "--control", "collar", *names).code == 0
    assert signed("sol", of=firm.order("o-2")).code == 2
    assert signed("sol").code == 0
    held = json.loads(out.read_text())
    assert set(held["signatures"]) == {"ben", "sol"}


def test_an_assessment_lists_what_is_missing_until_nothing_is(firm):
    first = firm("assess", "-o", "json")
    assert first.code == 3
    assert len(first.json["missing"]) == len(REQUIRED) + 2
    for kind in REQUIRED:
        assert firm("records", "add", kind, "all", "--reason", "seen").code == 0
    assert "nobody signed" in firm("assess").out
    assert firm("assess", "--key", firm.keys["eve"]).code == 4
    assert firm("assess", "--certify").code == 2
    assert firm("assess", "--key", firm.keys["cas"]).code == 3
    whole = firm("assess", "--key", firm.keys["cho"], "--certify", "-o", "json")
    assert (whole.code, whole.json["missing"]) == (0, []), whole.out
    assert whole.json["signers"] == ["cas", "cho"]
    # What failed since is not what they signed.
    firm("records", "add", "kill-drill", "all", "--failed", "--reason", "one venue was deaf")
    after = firm("assess", "-o", "json")
    assert after.code == 3
    assert "kill-drill: all did not pass" in after.json["missing"]
    assert after.json["signers"] == []
    assert firm("assess", "--year", "2021").code == 3
    assert firm("assess", "--year", "1066").code == 2


def test_records_are_proven_only_where_there_are_some(firm):
    said = firm("records", "verify")
    assert said.code == 5
    assert firm("records", "add", "rain-dance", "x", "--reason", "r").code == 2
    assert firm("records", "add", "kill-drill", " ", "--reason", "r").code == 2
    assert "chain-verified" in firm("assess").out


def test_without_the_table_nothing_trades_and_every_verb_says_so(firm):
    text = firm.home.file.read_text()
    firm.home.file.write_text(text[: text.index("[trading]")])
    for words in (
        ("status",), ("assess",), ("kill", "--reason", "r"), ("limits", "show"), ("watch",),
        ("records", "verify"),
    ):  # fmt: skip
        said = firm(*words)
        assert (said.code, "SWM687" in said.err) == (5, True), said.err


@pytest.mark.parametrize(
    ("was", "becomes", "why"),
    [
        pytest.param('capital = "1000000"', 'capital = "0"', "capital", id="no-capital"),
        pytest.param('["agent"]', '["agent", "risk"]', "is an agent", id="an-agent-with-a-role"),
        pytest.param('["agent"]', '["boss"]', "roles", id="no-role"),
        pytest.param('account = "ben"', 'account = "ada"', "two people", id="one-account"),
        pytest.param('socket = "venue"', 'host = "venue"', "socket", id="no-socket"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused_by_its_field(firm, was, becomes, why):
    text = firm.home.file.read_text()
    assert was in text
    firm.home.file.write_text(text.replace(was, becomes, 1))
    said = firm("assess")
    assert (said.code, "SWM601" in said.err, why in said.err) == (1, True, True), said.err


def test_one_key_speaks_for_one_person_whatever_its_comment(firm):
    lines = firm.home.file.read_text().splitlines()
    keys = [number for number, line in enumerate(lines) if line.startswith("keys")]
    lines[keys[1]] = lines[keys[0]].replace(' ada"', ' somebody"')
    firm.home.file.write_text("\n".join(lines))
    assert "share the key" in firm("assess").err


def troubles(firm):
    found = firm.verb("doctor", "--home", firm.home.folder, "-o", "json").json["findings"]
    return [one["message"] for one in found if one["check"] == "trading" and one["level"] != "ok"]


def test_doctor_says_what_stands_between_here_and_trading(firm):
    assert troubles(firm) == ["no limit set 'firm' is stored; nothing trades"]
    firm.in_force()
    assert troubles(firm) == []
    text = firm.home.file.read_text()
    firm.home.file.write_text(text.replace('channel = "owner"', 'channel = "desk"'))
    assert troubles(firm) == ["alerts go to the channel 'desk', which nobody bound"]
    firm.home.file.write_text(text.replace('["supervisor"]', '["engineer"]'))
    assert "no two people could set a control aside together" in troubles(firm)
    firm.home.file.write_text(text.replace('["risk"]', '["engineer"]'))
    said = troubles(firm)
    assert "nobody can sign limits, so that none come into force" in said
    assert "nobody could clear a break of the books" in said
    assert any("may not sign limits" in one for one in said), "who signed left: they do not hold"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        pytest.param(("--symbol", "ACME"), "NAME=PRICE", id="no-price"),
        pytest.param(("--symbol", "ACME=1.5"), "whole ticks", id="no-whole-price"),
        pytest.param(("--symbol", "ACME=1", "--symbol", "ACME=2"), "twice", id="twice"),
        pytest.param(("--symbol", "ACME=1", "--lots", "0"), "--lots", id="no-lots"),
        pytest.param((), "symbol", id="nothing"),
    ],
)
def test_a_venue_of_nothing_is_refused(verb, tmp_path, words, why):
    said = verb("trading", "paper", tmp_path / "venue", *words)
    assert (said.code, why in said.err) == (2, True), said.err
    assert list(tmp_path.iterdir()) == []


def test_a_venue_does_not_begin_on_books_that_it_cannot_read(verb, tmp_path):
    (tmp_path / "venue.journal").write_text("rain\n")
    said = verb("trading", "paper", tmp_path / "venue", "--symbol", "ACME=1", "--lasts", "1s")
    assert (said.code, "SWM705" in said.err, "line 1" in said.err) == (1, True, True), said.err


def test_a_monitor_without_limits_does_not_pretend_to_watch(firm):
    assert firm("watch", "--lasts", "1s").code == 1
