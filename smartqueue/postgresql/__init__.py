"""Django's PostgreSQL, saying what to do when the embedded server is not running."""
