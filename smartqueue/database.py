"""Which database: DATABASE_URL, or the embedded PostgreSQL when it is unset. Importing this starts nothing."""

import os
from typing import Any
from urllib.parse import quote, unquote

import environ

from smartqueue.embedded import DATABASE, ROLE
from smartqueue.pghome import socket_dir
from smartqueue.state import probe_dir, secret, state_dir

__all__ = ["database_url", "databases", "embedded", "probe_dir", "secret", "state_dir"]

# A server that vanished without a word must be noticed within seconds, not after the kernel's two hours.
OPTIONS = {
    "connect_timeout": 3,
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 6000,
    # Lets the queue's own statements be planned once a session (jobs.queue.sql.rows); Django's are not touched.
    "prepare_threshold": 5,
}


def embedded() -> bool:
    """Whether the database is ours to start and stop."""
    return not os.environ.get("DATABASE_URL")


def database_url() -> str:
    """As libpq and django-environ both read it: a socket's folder stands percent-encoded where a host would."""
    if not embedded():
        return os.environ["DATABASE_URL"]
    password = quote(secret("database_password"), safe="")
    return f"postgres://{ROLE}:{password}@{quote(str(socket_dir(state_dir())), safe='')}/{DATABASE}"


def databases() -> dict[str, dict[str, Any]]:
    """Django's DATABASES."""
    config = dict(environ.Env.db_url_config(database_url(), engine="smartqueue.postgresql"))
    return {
        "default": {
            **config,
            "HOST": unquote(config.get("HOST") or ""),
            "OPTIONS": {**OPTIONS, **config.get("OPTIONS", {})},
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True,
        }
    }
