"""schema.sql says what the migrations make, and every statement of the store fits both."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from swarm.adapters.postgres.store.statements import FOLDER, statements

SCHEMA = FOLDER.parent / "schema.sql"
_CATALOGUE = """
select 'column', c.relname || '.' || a.attname, format_type(a.atttypid, a.atttypmod)
       || ' ' || a.attnotnull || ' ' || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
       || ' ' || coalesce(l.collname, '') || ' ' || a.attnum || ' ' || a.attidentity::text
from pg_attribute a join pg_class c on c.oid = a.attrelid
left join pg_attrdef d on (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
left join pg_collation l on l.oid = a.attcollation
where c.relnamespace = 'swarm'::regnamespace and a.attnum > 0 and not a.attisdropped
  and c.relkind in ('r', 'v') and c.relname <> 'migration'
union all
select 'index', indexname, indexdef from pg_indexes
where schemaname = 'swarm' and tablename <> 'migration'
union all
select 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
from pg_constraint
where connamespace = 'swarm'::regnamespace and conrelid <> 'swarm.migration'::regclass
union all
select 'view', viewname, definition from pg_views where schemaname = 'swarm'
union all
select 'function', proname, pg_get_functiondef(oid) from pg_proc
where pronamespace = 'swarm'::regnamespace
union all
select 'trigger', tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid) from pg_trigger
where not tgisinternal and tgfoid = 'swarm.append_only'::regproc
union all
select 'options', relname, array_to_string(reloptions, ',') from pg_class
where relnamespace = 'swarm'::regnamespace and reloptions is not null
order by 1, 2, 3
"""


def catalogue(dsn):
    with psycopg.connect(dsn, options="-c search_path=swarm") as connection:
        return connection.execute(_CATALOGUE).fetchall()


def test_schema_equals_all_migrations(database_dsn, empty_database_dsn):
    with psycopg.connect(empty_database_dsn, options="-c search_path=swarm") as connection:
        connection.execute("create schema swarm")
        connection.execute("create table swarm.migration ()")
        connection.execute(SCHEMA.read_bytes())
    made, said = catalogue(database_dsn), catalogue(empty_database_dsn)
    assert made
    assert [row for row in made if row not in said] == []
    assert [row for row in said if row not in made] == []


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.sql")), ids=lambda path: path.stem)
def test_every_statement_can_be_planned(database_dsn, path):
    """A column that a migration renames breaks here, not at a customer's midnight."""
    found = statements(path.stem)
    assert found
    with psycopg.connect(database_dsn, options="-c search_path=swarm") as connection:
        for name, text in found.items():
            if text.startswith("copy ") or "\ncopy " in text:
                continue
            marks = iter(range(1, 100))
            numbers: dict[str, int] = {}
            plain = re.sub(
                r"%\((\w+)\)[sb]",
                lambda mark, marks=marks, numbers=numbers: (
                    f"${numbers.setdefault(mark[1], None) or number(numbers, mark[1], marks)}"
                ),
                text,
            )
            connection.execute(f"prepare s_{name} as {plain}".encode())
            connection.rollback()


def number(numbers, name, marks):
    numbers[name] = next(marks)
    return numbers[name]


def test_every_statement_is_used():
    code = "".join(
        path.read_text(encoding="utf-8") for path in Path(FOLDER.parent / "store").rglob("*.py")
    )
    unused = [
        f"{path.stem}.{name}"
        for path in FOLDER.glob("*.sql")
        for name in statements(path.stem)
        if f'"{name}"' not in code
    ]
    assert not unused
