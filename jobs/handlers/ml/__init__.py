"""ml: models of tables, trained, measured and asked."""
