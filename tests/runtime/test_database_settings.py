"""Which database an installation names: never another one than was meant."""

import json
import os

import pytest
from psycopg.conninfo import conninfo_to_dict

from swarm.adapters.local.process.kernel import start_time
from swarm.runtime.database import joined
from swarm.runtime.database_named import FIELDS, named
from swarm.runtime.errors import BadSettings
from swarm.runtime.home import Home
from swarm.runtime.policy_settings import DatabaseSettings
from swarm.runtime.seat import taken


@pytest.fixture
def home(tmp_path):
    def say(text):
        (tmp_path / "swarm.toml").write_text(text)
        return Home(tmp_path)

    return say


def test_what_is_named_is_taken_and_nothing_is_embedded(home):
    assert named(home('[database]\nurl = "postgresql://db/x"\n'))[0] == "postgresql://db/x"
    assert named(home(""))[0] == "embedded"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '[database]\ndsn = "postgresql://db/x"\n',
            "database.dsn: there is no such field; known: binaries, url",
        ),
        ('database = "postgresql://db/x"\n', "database: is no table"),
        ('[database]\nurl = " "\n', "database.url: is empty; write 'embedded' or a DSN"),
    ],
)
def test_a_wrong_word_does_not_lead_to_an_empty_database(home, text, told):
    """A plain look reads this table alone, and would say that there is nothing."""
    with pytest.raises(BadSettings) as caught:
        named(home(text))
    assert caught.value.message.endswith(told)


@pytest.mark.parametrize(
    ("written", "given"),
    [
        pytest.param("host=a\\u0000b dbname=x", None, id="a-NUL-behind-which-nobody-reads"),
        pytest.param("embedded", b"host=\xff dbname=x", id="bytes-that-are-no-text"),
    ],
)
def test_what_libpq_would_read_otherwise_leads_nowhere(home, monkeypatch, written, given):
    if given is not None:
        monkeypatch.setenv("SWARM_DATABASE__URL", os.fsdecode(given))
    with pytest.raises(BadSettings, match=r"database.url, or SWARM_DATABASE__URL: .* or a DSN"):
        named(home(f'[database]\nurl = "{written}"\n'))


def test_the_fields_are_those_of_the_settings():
    assert set(FIELDS) == set(DatabaseSettings.model_fields)


async def asked_of(place):
    async with joined(place) as database, database.connection() as connection:
        found = await connection.execute("select current_database()")
        return (await found.fetchone())[0]


async def test_the_note_of_a_killed_controller_does_not_lead_to_its_old_database(
    home, database_dsn, empty_database_dsn
):
    """`swarmctl freeze` held the Swarm there, and said so."""
    place = home(f"[database]\nurl = {json.dumps(empty_database_dsn)}\n")
    place.make()
    place.write_note({"pid": os.getpid(), "started": "0", "dsn": database_dsn})
    assert await asked_of(place) == conninfo_to_dict(empty_database_dsn)["dbname"]
    living = start_time(os.getpid())
    place.write_note({"pid": os.getpid(), "started": living, "dsn": database_dsn})
    with taken(place.state / "controller.lock", "c1"):
        assert await asked_of(place) == conninfo_to_dict(database_dsn)["dbname"]
