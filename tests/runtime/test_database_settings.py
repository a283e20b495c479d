"""Which database an installation names: never another one than was meant."""

import pytest

from swarm.runtime.database import FIELDS, named
from swarm.runtime.errors import BadSettings
from swarm.runtime.home import Home
from swarm.runtime.policy_settings import DatabaseSettings


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


def test_the_fields_are_those_of_the_settings():
    assert set(FIELDS) == set(DatabaseSettings.model_fields)
