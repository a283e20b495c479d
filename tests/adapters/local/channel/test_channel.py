"""The owner's channel, with a real HTTP server as its webhook."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import socket
import subprocess
import sys
import threading
import tracemalloc
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import ValidationError

from swarm.adapters.local.channel import ChannelSettings, LocalChannel
from swarm.adapters.local.journal import Journal
from swarm.core.decision import Notify
from swarm.core.ids import MissionId, OrderKey
from swarm.ports.reply import Done, Later
from swarm.testing.contracts.asking import fact
from swarm.testing.contracts.channel import ChannelContract

SECRET = "a secret of enough bytes"


class Target:
    """A webhook receiver that honours the idempotency key, as a good one does."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 204
        self.extra: list[tuple[str, str]] = []
        self.delay = 0.0
        self.hold = threading.Event()
        target = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                target.hold.wait(target.delay)
                if target.status < 300:
                    target.got.append((dict(self.headers), body))
                self.send_response(target.status)
                for name, value in target.extra:
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()


@pytest.fixture
def target():
    made = Target()
    yield made
    made.server.shutdown()
    made.server.server_close()


class World:
    def __init__(self, tmp, target) -> None:
        self.tmp, self.target = tmp, target
        self.clock = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self.settings = {
            "team": ChannelSettings(
                webhook=target.url, secret_env="HOOK_SECRET", allow_loopback=True, timeout="2s"
            )
        }

    def port(self, **more):
        fields = {"now": lambda: self.clock, "secrets": {"HOOK_SECRET": SECRET}}
        return LocalChannel(self.settings, self.tmp / "logs", **{**fields, **more})

    def order(self, kind: str, **more) -> Notify:
        text = (
            'line one\nline two \x1b[31m\x00 {}"' if kind == "hostile" else f"{kind}: rolled back"
        )
        fields = {
            "key": OrderKey(f"m-1/notify/{kind}"),
            "mission": MissionId("m-1"),
            "mission_class": "tidy",
            "policy_hash": "p",
            "channel": "swarm://owner/nobody" if kind == "unbound" else "swarm://owner/team",
            "event": "mission.rolled-back",
            "text": text,
        }
        return Notify(**{**fields, **more})

    def heard(self, kind: str) -> list[str]:
        bodies = [json.loads(body) for _headers, body in self.target.got]
        key = self.order(kind).key
        return [body["text"] for body in bodies if body["key"] == key]

    def take_away(self) -> None:
        self.target.status = 503

    def give_back(self) -> None:
        self.target.status = 204

    def log(self) -> list[dict[str, str]]:
        text = (self.tmp / "logs" / "channel.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def world(tmp_path, target):
    return World(tmp_path, target)


class TestLocalChannel(ChannelContract):
    pass


@pytest.mark.slow
async def test_the_log_gets_everything_once_and_first(world):
    world.take_away()
    for _ in range(3):
        await world.port().notify(world.order("bound"))
    await world.port().notify(world.order("unbound"))
    await world.port().notify(world.order("hostile"))
    assert [line["key"] for line in world.log()] == [
        "m-1/notify/bound",
        "m-1/notify/unbound",
        "m-1/notify/hostile",
    ]
    assert "\x1b" not in (world.tmp / "logs" / "channel.jsonl").read_text()


@pytest.mark.slow
async def test_a_message_is_signed_over_time_and_raw_body(world, target):
    await fact(world.port().notify, world.order("bound"))
    headers, body = target.got[0]
    stamp = headers["Swarm-Timestamp"]
    wanted = hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers["Swarm-Signature"] == f"v1={wanted}"
    assert int(stamp) == int(world.clock.timestamp())
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body)["event"] == "mission.rolled-back"


@pytest.mark.slow
async def test_every_try_carries_the_same_key_and_body(world, target):
    """A target that took the message and lost its answer can tell that it is the same."""
    world.settings["team"] = world.settings["team"].model_copy(
        update={"timeout": timedelta(seconds=0.3)}
    )
    target.delay = 0.6
    port = world.port()
    assert isinstance(await port.notify(world.order("bound")), Later)
    await asyncio.sleep(0.6)
    target.delay = 0
    world.clock += timedelta(minutes=1)
    assert isinstance(await port.notify(world.order("bound")), Done)
    (first, one), (second, two) = target.got
    assert one == two
    assert first["Idempotency-Key"] == second["Idempotency-Key"]
    assert first["Swarm-Timestamp"] != second["Swarm-Timestamp"]


@pytest.mark.slow
async def test_pauses_double_with_the_messages_age_up_to_a_quarter_of_an_hour(world):
    world.take_away()
    delays = []
    for _ in range(11):
        said = await world.port().notify(world.order("bound"))
        delays.append(said.delay.total_seconds())
        world.clock += said.delay
    assert delays == [5, 5, 10, 20, 40, 80, 160, 320, 640, 900, 900]


@pytest.mark.slow
async def test_after_a_day_the_log_is_all_and_the_fact_says_so(world):
    world.take_away()
    await world.port().notify(world.order("bound"))
    world.clock += timedelta(hours=25)
    said = await world.port().notify(world.order("bound"))
    assert said.fact.channel == "log"
    world.give_back()
    assert await world.port().notify(world.order("bound")) == said
    assert world.heard("bound") == []


@pytest.mark.fast("301")
@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 429, 500])
async def test_only_an_answer_in_the_two_hundreds_is_delivery(world, target, status):
    """A redirect is not followed, wherever it points to."""
    target.status = status
    target.extra = [("Location", target.url + "?again")]
    said = await world.port().notify(world.order("bound"))
    assert isinstance(said, Later)
    assert f"answered {status}" in said.detail


@pytest.mark.fast("loopback")
@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("http://127.0.0.1:1/x", "allow_loopback is not set", id="loopback"),
        pytest.param("http://localhost:1/x", "allow_loopback is not set", id="localhost"),
        pytest.param("http://[::1]:1/x", "allow_loopback is not set", id="loopback-v6"),
        pytest.param("http://[::ffff:127.0.0.1]:1/", "allow_loopback is not set", id="mapped"),
        pytest.param("http://169.254.169.254/", "no address of a server", id="metadata"),
        pytest.param("http://0.0.0.0/", "no address of a server", id="unspecified"),
        pytest.param("https://no-such-host.invalid/", "cannot be resolved", id="unknown-name"),
    ],
)
async def test_addresses_that_are_no_webhook_are_never_connected_to(world, url, words):
    world.settings["team"] = ChannelSettings(webhook=url, secret_env="HOOK_SECRET")
    said = await world.port().notify(world.order("bound"))
    assert isinstance(said, Later)
    assert words in said.detail


async def test_every_address_of_a_host_is_tried(world, target, monkeypatch):
    """`localhost` is ::1 as well on most machines, and most servers listen on 127.0.0.1 alone."""
    port = target.server.server_port
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
               for address in ("127.0.0.2", "127.0.0.1")]  # fmt: skip
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_words, **_more: answers)
    url = f"http://two-addresses.test:{port}/hook"
    world.settings["team"] = ChannelSettings(
        webhook=url, secret_env="HOOK_SECRET", allow_loopback=True, timeout="2s"
    )
    await fact(world.port().notify, world.order("bound"))
    assert len(target.got) == 1


@pytest.mark.slow
async def test_without_its_secret_nothing_is_sent(world, target):
    said = await world.port(secrets={"HOOK_SECRET": "short"}).notify(world.order("bound"))
    assert isinstance(said, Later)
    assert "HOOK_SECRET is not set or under 16 bytes" in said.detail
    assert target.got == []


@pytest.mark.slow
async def test_a_secret_in_a_text_is_masked(world):
    token = "ghp_" + "a1B2" * 9
    await fact(world.port().notify, world.order("bound", text=f"pushed with {token}"))
    assert world.heard("bound") == ["pushed with [masked]"]
    assert token not in json.dumps(world.log())


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"webhook": "ftp://x/"}, "must begin with https://"),
        ({"webhook": f"https://{'a' * 64}.example.org/"}, "1 to 63 characters"),
        ({"webhook": "https://chat..example.org/"}, "1 to 63 characters"),
        ({"webhook": "https://"}, "name a host"),
        ({"webhook": "https://x:65536/"}, "out of range"),
        ({"webhook": "https://x:0/"}, "name a host"),
        ({"webhook": "https://u:p@x/", "secret_env": "S"}, "neither user"),
        ({"webhook": "https://x/\x1b", "secret_env": "S"}, "control character"),
        ({"webhook": "https://b\xfccher.example/", "secret_env": "S"}, "in ASCII"),
        ({"webhook": "https://x/"}, "secret_env must name"),
        ({"timeout": "1h"}, "duration from 100ms to 1m"),
        ({"surprise": 1}, "Extra inputs"),
    ],
)
def test_bad_settings_are_refused_by_name(fields, words):
    with pytest.raises(ValidationError, match=words):
        ChannelSettings(**fields)


def test_a_torn_line_is_as_if_it_had_never_been_begun(tmp_path):
    journal = Journal(tmp_path / "j")
    journal.add("a", {"n": 1})
    with (tmp_path / "j").open("ab") as file:
        file.write(b'{"key": "b", "n"')
    assert journal.find("b") is None
    assert Journal(tmp_path / "j").add("b", {"n": 2}) == {"key": "b", "n": 2}
    assert journal.find("b") == {"key": "b", "n": 2}
    assert len((tmp_path / "j").read_bytes().splitlines()) == 2


def test_keys_count_after_the_file_was_moved_away(tmp_path):
    journal = Journal(tmp_path / "j", largest=500)
    for number in range(12):
        journal.add(f"k{number}", {"pad": "x" * 40})
    assert (tmp_path / "j.1").exists()
    assert Journal(tmp_path / "j", largest=500).find("k11") is not None
    kept = (tmp_path / "j").read_bytes() + (tmp_path / "j.1").read_bytes()
    assert len(kept.splitlines()) == len(set(kept.splitlines()))


def test_keys_count_also_where_a_kill_came_between_moving_the_file_and_a_new_one(tmp_path):
    first = Journal(tmp_path / "j").add("a", {"n": 1})
    (tmp_path / "j").rename(tmp_path / "j.1")
    assert Journal(tmp_path / "j").find("a") == first
    assert Journal(tmp_path / "j").add("a", {"n": 2}) == first


def test_what_was_said_in_months_is_not_held_in_memory(tmp_path):
    lines = (json.dumps({"key": f"k{number}", "text": "x" * 10_000}) for number in range(1_000))
    (tmp_path / "j").write_text("\n".join(lines) + "\n")
    tracemalloc.start()
    journal = Journal(tmp_path / "j")
    assert journal.find("k999")["text"] == "x" * 10_000
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 1_000_000


WRITER = """
import sys
from pathlib import Path
from swarm.adapters.local.journal import Journal
journal = Journal(Path(sys.argv[1]))
for number in range(200):
    journal.add(f"k{number}", {"by": sys.argv[2]})
"""


@pytest.mark.slow
@pytest.mark.req("OWN-3")
async def test_processes_that_write_at_once_and_are_killed_leave_each_key_once(tmp_path):
    path = tmp_path / "j"
    argv = [sys.executable, "-c", WRITER, str(path)]
    writers = [
        subprocess.Popen([*argv, str(number)])  # noqa: ASYNC220 - killed, not awaited
        for number in range(4)
    ]
    while not path.exists() or len(path.read_bytes().splitlines()) < 20:  # noqa: ASYNC110 - other processes write it
        await asyncio.sleep(0.005)
    writers[0].kill()
    writers[1].kill()
    for writer in writers:
        writer.wait()
    keys = [json.loads(line)["key"] for line in path.read_text().splitlines()]
    assert sorted(keys) == sorted(f"k{number}" for number in range(200))
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.slow
async def test_a_secret_that_is_no_text_signs_all_the_same(world, target):
    """A variable holds bytes; Python shows those that are no UTF-8 as lone surrogates."""
    raw = b"\xff" * 16
    port = world.port(secrets={"HOOK_SECRET": os.fsdecode(raw)})
    await fact(port.notify, world.order("bound"))
    headers, body = target.got[0]
    signed = f"{headers['Swarm-Timestamp']}.".encode() + body
    wanted = hmac.new(raw, signed, hashlib.sha256).hexdigest()
    assert headers["Swarm-Signature"] == f"v1={wanted}"
