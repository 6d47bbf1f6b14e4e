"""Django's PostgreSQL with sessions of our own."""
