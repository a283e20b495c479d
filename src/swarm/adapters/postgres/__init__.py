"""The Postgres store: embedded server, connections, migrations, queries."""
