"""The operator's databases, read from and written to by etl jobs: in the worker, beside the confined process."""

import contextlib
import logging
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg
from django.conf import settings
from psycopg import pq, sql

from jobs.handlers.base import Context, PermanentFailure, TemporaryFailure

log = logging.getLogger(__name__)

CONNECT_SECONDS = 10
READ_BYTES = 1 << 20
# The rows of these types are read as such (pg_type.oid); others are texts.
TYPES = {16: "boolean", 20: "integer", 21: "integer", 23: "integer", 700: "number", 701: "number"} | {
    1082: "date",
    1114: "timestamp",
    1184: "timestamp",
}
NUMERIC_OID = 1700


def extract(context: Context, source: Mapping[str, Any], name: str) -> tuple[list[str], list[str]]:
    """The rows of a SELECT as CSV in the folder; names and types of its columns. Raises PermanentFailure, Stopped."""
    with session(context, source["connection"], read_only=True) as connection:
        words = one_statement(source["select"])
        described = described_columns(connection, words)
        # a line comment at its end must not reach the bracket
        command = f"COPY (\n{words}\n) TO STDOUT (FORMAT csv, ENCODING 'UTF8')"
        size = 0
        with connection.cursor().copy(command.encode()) as copy, context.path(name).open("wb") as file:
            for piece in copy:
                size += len(piece)
                if size > settings.ETL_UNPACKED_MAX_BYTES:
                    raise PermanentFailure(f"It gives more than {settings.ETL_UNPACKED_MAX_BYTES} bytes.")
                file.write(piece)
        context.log(f"{source['connection']}: {size} bytes read")
    names = [one for one, _ in described]
    if len(set(names)) < len(names):
        raise PermanentFailure("Two of its columns have one name: use AS.")
    return names, [type for _, type in described]


def one_statement(text: str) -> str:
    words = text.strip().rstrip(";").rstrip()
    if not re.match(r"(select|with|values|table)\b", words, re.IGNORECASE):
        raise PermanentFailure("It must be one SELECT.")
    return words


def described_columns(connection: "psycopg.Connection[Any]", words: str) -> list[tuple[str, str]]:
    """As the server reads it, alone: it refuses more than one statement, and what only brackets would complete."""
    prepared = connection.pgconn.prepare(b"", words.encode())
    if prepared.status != pq.ExecStatus.COMMAND_OK:
        raise PermanentFailure(f"The database refuses it: {refusal(prepared)}")
    found = connection.pgconn.describe_prepared(b"")
    if not found.nfields:
        raise PermanentFailure("It gives no rows.")
    return [
        ((found.fname(index) or b"").decode(), type_of(found.ftype(index), found.fmod(index)))
        for index in range(found.nfields)
    ]


def type_of(oid: int, modifier: int) -> str:
    if oid != NUMERIC_OID:
        return TYPES.get(oid, "text")
    digits, scale = (modifier - 4) >> 16, (modifier - 4) & 0x7FF
    return f"decimal({digits},{scale})" if modifier >= 4 and digits <= 38 and scale <= digits else "numeric"


def refusal(result: "pq.abc.PGresult") -> str:
    return (result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"").decode("utf-8", "replace")[:300]


def load(context: Context, sink: Mapping[str, Any], columns: Sequence[str], name: str) -> None:
    """The file's rows into the table, all or none. Raises PermanentFailure, TemporaryFailure, Stopped."""
    target = sql.Identifier(*sink["table"].split("."))
    listed = sql.SQL(", ").join(map(sql.Identifier, columns))
    with session(context, sink["connection"], read_only=False) as connection, connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("CREATE TEMP TABLE smartqueue_rows ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA").format(
                listed, target
            )
        )
        command = sql.SQL("COPY smartqueue_rows ({}) FROM STDIN (FORMAT csv, ENCODING 'UTF8')").format(listed)
        with cursor.copy(command) as copy, context.path(name).open("rb") as file:
            while piece := file.read(READ_BYTES):
                context.check_stopped()
                copy.write(piece)
        if sink.get("mode") == "replace":
            cursor.execute(sql.SQL("DELETE FROM {}").format(target))
        cursor.execute(
            sql.SQL("INSERT INTO {} ({}) SELECT {} FROM smartqueue_rows {}").format(
                target, listed, listed, on_conflict(columns, sink.get("key", []))
            )
        )
        context.log(f"{sink['connection']}: {cursor.rowcount} rows written to {sink['table']}")


def on_conflict(columns: Sequence[str], key: Sequence[str]) -> sql.Composable:
    if not key:
        return sql.SQL("")
    for each in key:
        if each not in columns:
            raise PermanentFailure(f"The rows have no column {each!r:.80}, of the key.")
    rest = [name for name in columns if name not in key]
    on = sql.SQL("ON CONFLICT ({}) DO ").format(sql.SQL(", ").join(map(sql.Identifier, key)))
    if not rest:
        return on + sql.SQL("NOTHING")
    changes = [sql.SQL("{} = excluded.{}").format(sql.Identifier(name), sql.Identifier(name)) for name in rest]
    return on + sql.SQL("UPDATE SET ") + sql.SQL(", ").join(changes)


@contextlib.contextmanager
def session(context: Context, name: str, *, read_only: bool) -> Iterator["psycopg.Connection[Any]"]:
    """One transaction, committed at the end of the block. What the database says is told, never where it is."""
    try:
        connection = psycopg.connect(settings.CONNECTIONS[name]["url"], connect_timeout=CONNECT_SECONDS)
    except psycopg.Error:
        # its text names the host and the user
        log.warning("connection %s cannot be opened", name, exc_info=True)
        raise TemporaryFailure(f"The connection {name} cannot be opened now.") from None
    # beside the worker's loop, which must not wait for a database that does not answer
    context.on_stop(threading.Thread(target=connection.cancel_safe, kwargs={"timeout": 5.0}, daemon=True).start)
    milliseconds = max(int(context.seconds_left() * 1000), 1)
    try:
        with connection:
            connection.read_only = read_only
            connection.execute(f"SET statement_timeout = {milliseconds}".encode())
            connection.execute(b"SET DateStyle = 'ISO'; SET TimeZone = 'UTC'; SET bytea_output = 'hex'")
            yield connection
    except psycopg.Error as error:
        context.check_stopped()
        raise told(name, error) from None


def told(name: str, error: psycopg.Error) -> Exception:
    """Retried where the database or another transaction is the matter, final where the rows or the statement are."""
    text = f"{name}: {(error.diag.message_primary or type(error).__name__)[:300]}"
    state = error.sqlstate or ""
    if not state or state[:2] in {"08", "40", "53", "57", "55"}:
        return TemporaryFailure(text)
    return PermanentFailure(text)
