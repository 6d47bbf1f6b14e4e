"""Text put straight into every column of text that there is, past whatever checks it on its way in."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import DatabaseError, connection, models, transaction
from django.db.models.fields.json import JSONField
from psycopg import sql
from psycopg.types.json import Jsonb

Column = tuple[str, str]
# Where text is not somebody's but ours, and says what a row is.
OURS: dict[Column, str] = {
    ("orgs_user", "password"): "a hash",
    ("orgs_invitation", "token_sha256"): "a digest",
    ("orgs_org", "slug"): "a part of paths, as the next",
    ("orgs_user", "username"): "of letters that stand for themselves in a path, which every writer checks",
    ("orgs_secret", "sealed"): "sealed",
    ("orgs_namekey", "sealed"): "the same",
    ("orgs_limithit", "name"): "the name of a limit, which is in our code",
    ("jobs_schedule", "cron"): "read and found right when it was written",
    ("jobs_schedule", "timezone"): "the same",
    ("jobs_job", "status"): "a state, which every writer takes from a list",
    ("jobs_bulkoperation", "state"): "the same",
    ("jobs_bulkoperation", "kind"): "the same",
    ("jobs_bulkoperation", "key_prefix"): "of a key, made by us",
    ("jobs_bulkoutcome", "outcome"): "taken from a list",
    ("jobs_errorgroup", "fingerprint"): "a hash, a part of paths",
    ("jobs_errorcount", "fingerprint"): "a hash too",
    ("jobs_searchentry", "error_fingerprint"): "a hash too",
    ("jobs_savedview", "query"): "of an address, encoded when it was written",
    ("jobs_follower", "name"): "one of two words",
    ("jobs_streamposition", "name"): "one of two words",
    ("jobs_total", "type"): "of the registry, or other",
    ("jobs_searchfacet", "kind"): "one of four words",
    ("jobs_statusdelta", "status"): "the same",
    ("jobs_ending", "status"): "the same",
}

# Tables that no page or answer reads from, or of which only sums are read.
UNSEEN = {
    "orgs_ratebucket", "orgs_auditseal", "orgs_audithead", "jobs_rundelta", "jobs_statuscount", "jobs_limitbucket",
    "jobs_seenevent", "jobs_depthsample", "jobs_backlog", "jobs_queueshare", "jobs_classifiedtext",
}  # fmt: skip


def text_columns() -> Iterator[models.Field[Any, Any]]:
    """Of every model, those that hold text."""
    for model in apps.get_models():
        if model._meta.app_label in {"orgs", "jobs"} and model._meta.managed:
            for field in model._meta.concrete_fields:
                if isinstance(field, (models.CharField, models.TextField, models.FileField, JSONField)) or of_text(
                    field
                ):
                    yield field


def of_text(field: models.Field[Any, Any]) -> bool:
    return isinstance(field, ArrayField) and isinstance(field.base_field, (models.CharField, models.TextField))


def name_of(field: models.Field[Any, Any]) -> Column:
    return field.model._meta.db_table, field.column


def overwrite(text: str | Callable[[int], str]) -> tuple[set[Column], dict[Column, str]]:
    """Every column of text of every row, all with one text or each by its place in the list; those that hold it now,
    and what the database said of the others.
    """
    taken, refused = set(), {}
    with transaction.atomic(), without_triggers():
        for place, field in enumerate(text_columns()):
            try:
                if name_of(field) not in OURS and write(field, text if isinstance(text, str) else text(place)):
                    taken.add(name_of(field))
            except DatabaseError as error:
                refused[name_of(field)] = str(error).splitlines()[0]
    return taken, refused


@contextmanager
def without_triggers() -> Iterator[None]:
    """The rules of moves and of the trail are not what is tried here."""
    enabled = "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O'"
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(enabled)
        triggers = [tuple(map(sql.Identifier, names)) for names in cursor.fetchall()]
        for table, name in triggers:
            cursor.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER {}").format(table, name))
        yield
        for table, name in triggers:
            cursor.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER {}").format(table, name))


def write(field: models.Field[Any, Any], text: str) -> int:
    """Where two rows may not say the same, each says it in its own way. Raises DatabaseError."""
    try:
        return written(field, text, numbered=False)
    except DatabaseError as error:
        if "unique" not in str(error):
            raise
        return written(field, text, numbered=True)


def written(field: models.Field[Any, Any], text: str, *, numbered: bool) -> int:
    table, column = (sql.Identifier(part) for part in name_of(field))
    with transaction.atomic(), connection.cursor() as cursor:
        if isinstance(field, JSONField):
            cursor.execute(sql.SQL("SELECT ctid::text, {}::text FROM {}").format(column, table))
            return sum(write_json(cursor, field, row, text) for row in cursor.fetchall() if row[1] is not None)
        long = getattr(getattr(field, "base_field", field), "max_length", None) or 10_000
        if isinstance(field, ArrayField):
            new, values = sql.SQL("ARRAY[%s]::text[]"), [text[:long]]
        else:
            # three digits are enough to tell them apart
            new, values = sql.SQL("%s"), [text[: min(long, max(long - 3, 5))]]
            new += sql.SQL(" || (row_number() OVER ())::text") if numbered else sql.SQL("")
        rows = sql.SQL("SELECT ctid AS place, {} AS new FROM {}").format(new, table)
        update = sql.SQL("UPDATE {0} SET {1} = rows.new FROM ({2}) AS rows WHERE {0}.ctid = rows.place")
        cursor.execute(update.format(table, column, rows), values)
        return int(cursor.rowcount)


def write_json(cursor: Any, field: models.Field[Any, Any], row: tuple[str, str], text: str) -> int:
    table, column = (sql.Identifier(part) for part in name_of(field))
    value = Jsonb(replaced(json.loads(row[1]), text))
    cursor.execute(sql.SQL("UPDATE {} SET {} = %s WHERE ctid = %s::tid").format(table, column), [value, row[0]])
    return int(cursor.rowcount)


def replaced(value: Any, text: str) -> Any:
    """Every string in it, and in every object a key more with something of the kind of the others."""
    if isinstance(value, dict):
        inside = {key: replaced(inner, text) for key, inner in value.items()}
        return {**inside, text: next(iter(inside.values()), text)}
    if isinstance(value, list):
        return [replaced(inner, text) for inner in value]
    return text if isinstance(value, str) else value
