"""What PostgreSQL must keep, for a 201 promises a flushed commit. Without Django: `make up` asks it too."""

from typing import Any

import psycopg

KEEPS = ("fsync", "full_page_writes", "synchronous_commit")
# For one statement with other things in it; told by off().
ASKED = ", ".join(f"current_setting('{name}')" for name in KEEPS)


class NotDurable(psycopg.OperationalError):
    """The server does not keep what it acknowledges."""

    code = "database_not_durable"

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"This PostgreSQL loses what it acknowledges: {', '.join(names)} off. Turn it on.")


def off(values: list[Any]) -> list[str]:
    """The names of those that are off, of the values of ASKED."""
    return [name for name, value in zip(KEEPS, values, strict=True) if value == "off"]
