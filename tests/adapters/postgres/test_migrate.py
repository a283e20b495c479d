"""Numbered files, applied once each, by whoever comes first."""

import threading

import psycopg
import pytest
from psycopg import conninfo

from swarm.adapters.postgres.errors import (
    DatabaseRefused,
    DatabaseUnavailable,
    MigrationEdited,
    MigrationFailed,
    MigrationMisnamed,
    SchemaForeign,
    SchemaNewer,
)
from swarm.adapters.postgres.migrate import migrate, read_migrations

pytestmark = pytest.mark.req("LOOP-11")


def write(folder, name, body="", header=None):
    number, kind, _ = name.split("_", 2)
    text = f"{header or f'-- {number} {kind}: for a test.'}\n{body}\n"
    (folder / f"{name}.sql").write_text(text)


@pytest.fixture
def files(tmp_path):
    """A folder of three good files."""
    write(tmp_path, "0001_expand_things", "create table swarm.thing (id int primary key);")
    write(tmp_path, "0002_expand_names", "alter table swarm.thing add name text;")
    write(tmp_path, "0003_expand_index", "create index on swarm.thing (name);")
    return tmp_path


def rows(dsn, statement):
    with psycopg.connect(dsn) as connection:
        return connection.execute(statement).fetchall()


def test_from_zero_every_file_is_applied_in_order_and_recorded(empty_database_dsn, files):
    report = migrate(empty_database_dsn, read_migrations(files))
    names = ["0001_expand_things", "0002_expand_names", "0003_expand_index"]
    assert list(report.applied) == names
    assert report.version == 3
    recorded = rows(
        empty_database_dsn,
        "select version, name, octet_length(sha256), applied_at <= now(), ms > 0"
        " from swarm.migration order by version",
    )
    assert recorded == [(n, name, 32, True, True) for n, name in enumerate(names, 1)]


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_cannot_hold_every_text_is_refused_untouched(
    empty_database_dsn, files, encoding
):
    """It took the schema, and then one emoji of a feed ended every reading of it."""
    name = f"as_{encoding.lower()}"
    with psycopg.connect(empty_database_dsn, autocommit=True) as connection:
        connection.execute(
            f"create database {name} encoding '{encoding}' template template0"
            " locale_provider libc locale 'C'"
        )
    dsn = conninfo.make_conninfo(empty_database_dsn, dbname=name)
    try:
        with pytest.raises(DatabaseRefused, match=f"is encoded as {encoding}"):
            migrate(dsn, read_migrations(files))
        assert rows(dsn, "select to_regnamespace('swarm')") == [(None,)]
    finally:
        with psycopg.connect(empty_database_dsn, autocommit=True) as connection:
            connection.execute(f"drop database {name}")


@pytest.fixture
def poor_dsn(empty_database_dsn):
    """The database as somebody sees it who may do nothing in it."""
    with psycopg.connect(empty_database_dsn, autocommit=True) as connection:
        connection.execute("create role poor login password 'p'")
    yield conninfo.make_conninfo(empty_database_dsn, user="poor", password="p", passfile="/nowhere")
    with psycopg.connect(empty_database_dsn, autocommit=True) as connection:
        connection.execute("drop owned by poor")
        connection.execute("drop role poor")


def test_a_role_that_may_not_make_the_schema_is_told_so(poor_dsn, files):
    with pytest.raises(DatabaseRefused, match="permission denied for database"):
        migrate(poor_dsn, read_migrations(files))


def test_a_role_that_may_not_look_into_the_schema_is_told_so(poor_dsn, empty_database_dsn, files):
    migrate(empty_database_dsn, read_migrations(files))
    with pytest.raises(DatabaseRefused, match="permission denied for schema swarm"):
        migrate(poor_dsn, read_migrations(files))


def test_a_pooler_that_drops_our_settings_is_refused_before_anything_is_made(empty_database_dsn):
    """Every table of ours came to lie in `public`, and a direct connection found none of them."""
    bent = conninfo.make_conninfo(empty_database_dsn, options="-c search_path=public")
    with pytest.raises(DatabaseRefused, match="search_path is 'public' there") as caught:
        migrate(bent)
    assert "PgBouncer" in caught.value.fix
    left = "select to_regclass('public.decision'), to_regnamespace('swarm')"
    assert rows(empty_database_dsn, left) == [(None, None)]


def test_the_second_time_nothing_is_done(empty_database_dsn, files):
    migrate(empty_database_dsn, read_migrations(files))
    report = migrate(empty_database_dsn, read_migrations(files))
    assert (report.applied, report.version) == ((), 3)
    assert report.sentence == "the database is at migration 3, nothing to do"


def test_only_what_is_missing_is_applied(empty_database_dsn, files):
    known = read_migrations(files)
    migrate(empty_database_dsn, known[:1])
    assert migrate(empty_database_dsn, known).applied == (
        "0002_expand_names",
        "0003_expand_index",
    )


def test_an_edited_file_is_refused_by_name_and_nothing_is_applied(empty_database_dsn, files):
    migrate(empty_database_dsn, read_migrations(files)[:2])
    write(files, "0001_expand_things", "create table swarm.thing (id bigint primary key);")
    for known in (read_migrations(files), read_migrations(files)[:2]):
        with pytest.raises(MigrationEdited, match="0001_expand_things"):
            migrate(empty_database_dsn, known)
    assert rows(empty_database_dsn, "select max(version) from swarm.migration") == [(2,)]


def test_a_failing_file_rolls_back_whole_and_those_before_it_stay(empty_database_dsn, files):
    write(files, "0003_expand_index", "create table swarm.half (); select 1 / 0;")
    with pytest.raises(MigrationFailed, match="0003_expand_index: division by zero"):
        migrate(empty_database_dsn, read_migrations(files))
    assert rows(empty_database_dsn, "select to_regclass('swarm.half')") == [(None,)]
    assert rows(empty_database_dsn, "select max(version) from swarm.migration") == [(2,)]
    write(files, "0003_expand_index", "create index on swarm.thing (name);")
    assert migrate(empty_database_dsn, read_migrations(files)).applied == ("0003_expand_index",)


def test_a_file_that_commits_by_itself_is_refused(empty_database_dsn, files):
    write(files, "0002_expand_names", "commit; select 1;")
    with pytest.raises(MigrationFailed, match="0002_expand_names"):
        migrate(empty_database_dsn, read_migrations(files))


def test_a_settings_change_in_one_file_does_not_reach_the_next(empty_database_dsn, files):
    write(
        files,
        "0002_expand_names",
        "set local search_path = pg_catalog; set local lock_timeout = 7;",
    )
    write(
        files,
        "0003_expand_index",
        "create table named_here as select current_setting('lock_timeout') as lock;",
    )
    migrate(empty_database_dsn, read_migrations(files))
    assert rows(empty_database_dsn, "select lock from swarm.named_here") == [("5s",)]


def test_an_older_program_runs_on_a_newer_database_and_says_so(empty_database_dsn, files):
    known = read_migrations(files)
    migrate(empty_database_dsn, known)
    report = migrate(empty_database_dsn, known[:2])
    assert report.applied == ()
    assert report.ahead == ("0003_expand_index",)
    assert report.sentence == (
        "the database is at migration 3, newer than this release by 1: "
        "running on it without migrating"
    )


@pytest.mark.parametrize(
    ("needs", "oldest_that_may_run"),
    [
        pytest.param("", 4, id="without-a-word-only-programs-that-know-it"),
        pytest.param("\n-- Needs: 0002", 2, id="programs-that-stopped-using-it-may-run"),
    ],
)
def test_a_contract_step_shuts_out_programs_that_are_too_old(
    empty_database_dsn, files, needs, oldest_that_may_run
):
    header = f"-- 0004 contract: the name goes.{needs}"
    write(files, "0004_contract_names", "alter table swarm.thing drop name;", header)
    known = read_migrations(files)
    migrate(empty_database_dsn, known)
    for release in (1, 2, 3, 4):
        if release < oldest_that_may_run:
            with pytest.raises(SchemaNewer, match="0004_contract_names"):
                migrate(empty_database_dsn, known[:release])
        else:
            assert migrate(empty_database_dsn, known[:release]).applied == ()


def test_a_schema_of_somebody_else_is_refused_untouched(empty_database_dsn, files):
    with psycopg.connect(empty_database_dsn) as connection:
        connection.execute("create schema swarm create table bees (n int)")
    with pytest.raises(SchemaForeign, match="bees"):
        migrate(empty_database_dsn, read_migrations(files))
    assert rows(empty_database_dsn, "select to_regclass('swarm.migration')") == [(None,)]


def test_a_table_with_our_name_and_other_columns_is_refused(empty_database_dsn, files):
    with psycopg.connect(empty_database_dsn) as connection:
        connection.execute("create schema swarm create table migration (id int)")
    with pytest.raises(SchemaForeign):
        migrate(empty_database_dsn, read_migrations(files))


@pytest.mark.slow
def test_a_step_waits_for_a_lock_that_is_soon_given_up(empty_database_dsn, files):
    """A reader that holds the table for a while must not make an upgrade fail."""
    known = read_migrations(files)
    migrate(empty_database_dsn, known[:1])
    reader = psycopg.connect(empty_database_dsn)
    reader.execute("select * from swarm.thing")
    threading.Timer(5.5, reader.close).start()  # beyond the lock timeout of 5 s
    assert migrate(empty_database_dsn, known).version == 3


@pytest.mark.slow
def test_eight_racing_processes_apply_each_file_once(empty_database_dsn, tmp_path, start_program):
    for number in range(1, 21):
        body = (
            f"create table swarm.t{number} (id bigint primary key, at timestamptz);"
            f"create index on swarm.t{number} (at);"
        )
        write(tmp_path, f"{number:04}_expand_t{number}", body)
    racers = [start_program("program_migrator.py", empty_database_dsn, tmp_path) for _ in range(8)]
    assert [racer.line() for racer in racers] == ["ready"] * 8
    for racer in racers:
        racer.go_on()
    ends = [racer.line().split() for racer in racers]
    assert sum(int(applied) for applied, _, _ in ends) == 20
    assert {version for _, version, _ in ends} == {"20"}


@pytest.mark.parametrize(
    ("name", "header", "words"),
    [
        pytest.param("4_expand_x", "-- 4 expand: x", "not NNNN", id="short-number"),
        pytest.param("0004_change_x", "-- 0004 change: x", "not NNNN", id="neither-nor"),
        pytest.param("0004_expand_X", "-- 0004 expand: x", "not NNNN", id="capitals"),
        pytest.param("0004_expand_x", "-- 0004 contract: x", "first line", id="header-differs"),
        pytest.param("0004_expand_x", "select 1;", "first line", id="no-header"),
        pytest.param("0005_expand_x", "-- 0005 expand: x", "0004 is next", id="gap"),
        pytest.param("0003_expand_x", "-- 0003 expand: x", "0004 is next", id="twin"),
    ],
)
def test_a_misnamed_file_is_refused(files, name, header, words):
    (files / f"{name}.sql").write_text(header + "\n")
    with pytest.raises(MigrationMisnamed, match=words) as caught:
        read_migrations(files)
    assert name in str(caught.value)


def test_no_server_is_a_typed_error(files):
    with pytest.raises(DatabaseUnavailable):
        migrate("host=/nowhere user=swarm", read_migrations(files))


def test_the_packages_own_files_are_well_named():
    versions = [migration.version for migration in read_migrations()]
    assert versions == list(range(1, len(versions) + 1))
