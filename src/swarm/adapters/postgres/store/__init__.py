"""The store: every noun in Postgres. One module per noun; SQL in `queries/`, shapes in `shapes`."""
