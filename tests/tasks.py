"""Tasks that only tests run."""
