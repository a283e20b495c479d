"""Which database error means what. The table is the store's fault table, not the code's."""

import psycopg
import pytest

from swarm.adapters.postgres.errors import (
    DatabaseRefused,
    DatabaseUnavailable,
    DataCorrupted,
    DiskFull,
    StatementTooSlow,
)
from swarm.adapters.postgres.failures import Failure, classify, is_environment, translate
from swarm.contract.errors import Refused, Unavailable

pytestmark = pytest.mark.req("FAIL-6")


def error(state):
    return psycopg.errors.lookup(state)("words")


@pytest.mark.parametrize(
    "state", ["08000", "08003", "08006", "08001", "57P01", "57P02", "57P03", "25006", "53300"]
)
def test_a_lost_connection_is_tried_again_on_a_new_one(state):
    assert classify(error(state)) is Failure.LOST


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03"])
def test_contention_is_tried_again_on_the_same_connection(state):
    assert classify(error(state)) is Failure.CONTENDED


@pytest.mark.parametrize("state", ["23505", "22012", "42601", "42P01", "53100", "57014", "XX001"])
def test_what_stays_the_same_is_not_tried_again(state):
    assert classify(error(state)) is Failure.FINAL


def test_no_state_at_all_is_a_broken_connection():
    assert classify(psycopg.OperationalError("server closed the connection")) is Failure.LOST


def test_what_is_not_the_databases_error_is_final():
    assert classify(ValueError("no")) is Failure.FINAL


@pytest.mark.parametrize(
    ("state", "kind", "whose"),
    [
        ("53100", DiskFull, Unavailable),
        ("XX001", DataCorrupted, Refused),
        ("57014", StatementTooSlow, Unavailable),
        ("28P01", DatabaseRefused, Refused),
        ("28000", DatabaseRefused, Refused),
        ("3D000", DatabaseRefused, Refused),
        ("42501", DatabaseRefused, Refused),
        ("08006", DatabaseUnavailable, Unavailable),
        ("57P03", DatabaseUnavailable, Unavailable),
    ],
)
def test_each_environment_error_has_its_type(state, kind, whose):
    translated = translate(error(state), "asking")
    assert type(translated) is kind
    assert isinstance(translated, whose)
    assert str(translated) == "asking: words"


def test_missing_rights_are_the_environments_error():
    assert is_environment(error("42501"))


def test_a_pooler_that_lets_no_setting_through_is_named():
    said = psycopg.OperationalError("FATAL:  unsupported startup parameter: options")
    refused = translate(said, "connecting")
    assert isinstance(refused, DatabaseRefused)
    assert "PgBouncer" in refused.fix


@pytest.mark.parametrize("state", ["23505", "22012", "42601"])
def test_a_statements_own_error_is_not_the_environments(state):
    assert not is_environment(error(state))
