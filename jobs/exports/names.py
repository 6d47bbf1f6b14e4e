"""Exported rows without the names of people whose accounts were removed, some at a time."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from jobs.handlers.datasets import Question
from orgs.models import AuditEntry
from orgs.removed_names import hide_actors, hide_by, hide_in_entries

# Of an entry of the trail, what tells where in it names stand.
OF_AUDIT = ("actor_id", "action", "actor_name", "target", "detail")
SHOWN = {"actor": "actor_name", "target": "target", "detail": "detail"}
# Of tables that are exported whole, the column that says who did it.
ACTORS = {"transitions": "actor", "models": "promoted_by", "bulk_operations": "ended_because"}

Row = tuple[Any, ...]


def asked_for_names(question: Question) -> tuple[str, ...]:
    """Fields that each row has behind its columns."""
    return OF_AUDIT if question.dataset == "audit" else ()


def without_names(question: Question, rows: Iterator[Row], size: int) -> Iterator[Row]:
    """The columns alone."""
    retold = {"audit": of_audit, "transitions": of_transitions}.get(question.dataset)
    if retold is None:
        yield from rows
        return
    while batch := list(islice(rows, size)):
        yield from retold(question.columns, batch)


def of_audit(columns: Sequence[str], batch: list[Row]) -> Iterator[Row]:
    about = (row[len(columns) :] for row in batch)
    entries = hide_in_entries([AuditEntry(**dict(zip(OF_AUDIT, values, strict=True))) for values in about])
    for row, entry in zip(batch, entries, strict=True):
        said = {name: getattr(entry, field) for name, field in SHOWN.items()}
        yield tuple(said.get(name, cell) for name, cell in zip(columns, row, strict=False))


def of_transitions(columns: Sequence[str], batch: list[Row]) -> Iterator[Row]:
    places = {place for place, name in enumerate(columns) if name == "actor"}
    said = hide_actors(row[place] for row in batch for place in places)
    for row in batch:
        yield tuple(said.get(cell, cell) if place in places else cell for place, cell in enumerate(row))


def without_names_in(table: str, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same rows of a table that is exported whole, by what its file is called."""
    if table == "audit":
        entries = hide_in_entries([AuditEntry(**{name: row[name] for name in OF_AUDIT}) for row in batch])
        for row, entry in zip(batch, entries, strict=True):
            row |= {name: getattr(entry, name) for name in SHOWN.values()}
    elif field := ACTORS.get(table):
        said = hide_by(row[field] for row in batch if row[field])
        for row in batch:
            row[field] = said.get(row[field], row[field])
    return batch
