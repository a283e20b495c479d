"""Migrations are numbered without gap or twin: two that took one number never meet on main."""

from pathlib import Path

import pytest

from swarm.adapters.postgres.errors import MigrationMisnamed
from swarm.adapters.postgres.migration_files import read_migrations


def test_the_migrations_of_this_release_are_in_order():
    assert [one.version for one in read_migrations()] == [
        number for number, _ in enumerate(read_migrations(), start=1)
    ]


@pytest.mark.parametrize(
    ("names", "wrong"),
    [
        (("0001_expand_a", "0001_expand_b"), "0001_expand_b.sql: number 0002 is next"),
        (("0001_expand_a", "0003_expand_b"), "0003_expand_b.sql: number 0002 is next"),
    ],
)
def test_a_twin_and_a_gap_are_refused(tmp_path: Path, names, wrong):
    for name in names:
        (tmp_path / f"{name}.sql").write_text(f"-- {name[:4]} expand: nothing.\n")
    with pytest.raises(MigrationMisnamed, match=wrong):
        read_migrations(tmp_path)
