"""Every column that holds sealed text, and how all of them come under the present key.

A row is sealed anew only as it was read: a value that somebody sets meanwhile stands, and workers read what is there
under either key. So it can run beside them, and again after it broke off.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from django.apps import apps
from django.db.models import Model, QuerySet

from orgs.crypto import VERSION, Unsealable, current_key_id, seal, unseal

BATCH = 200


class Sealed(NamedTuple):
    """A column; `about` says of a row what its text is bound to."""

    model: str
    field: str
    about: Callable[[Any], str]


# Whoever adds a sealed column adds it here; a model is named as apps.get_model() takes it. Empty text is no secret.
SEALED = [
    Sealed("orgs.Secret", "sealed", lambda secret: str(secret.about)),
    Sealed("orgs.NameKey", "sealed", lambda key: str(key.ABOUT)),
    Sealed("jobs.Subscriber", "secret", lambda webhook: f"webhook {webhook.pk}"),
    Sealed("jobs.Subscriber", "previous_secret", lambda webhook: f"webhook {webhook.pk}"),
]


class Rotated(NamedTuple):
    """What became of a column's rows that were not under the present key."""

    column: Sealed
    resealed: int
    unreadable: list[Any]


def rotate() -> Iterator[Rotated]:
    """Seal everything under the first key that is not."""
    for column in SEALED:
        yield rotated(column)


def rotated(column: Sealed) -> Rotated:
    model: type[Model] = apps.get_model(column.model)
    resealed, unreadable, last = 0, [], None
    while rows := list(batch(model._base_manager.all(), column.field, last)):
        for row in rows:
            try:
                resealed += reseal(row, column)
            except Unsealable:
                unreadable.append(row.pk)
        last = rows[-1].pk
    return Rotated(column, resealed, unreadable)


def batch(rows: QuerySet[Model], field: str, after: Any) -> QuerySet[Model]:
    """The next that are under another key, or under none that can be told."""
    waiting = rows.exclude(**{f"{field}__startswith": f"{VERSION}.{current_key_id()}."}).exclude(**{field: ""})
    return (waiting if after is None else waiting.filter(pk__gt=after)).order_by("pk")[:BATCH]


def reseal(row: Model, column: Sealed) -> int:
    """How many rows were changed: none, where the text is another by now. Raises Unsealable."""
    old, about = getattr(row, column.field), column.about(row)
    new = seal(unseal(old, about=about), about=about)
    rows = type(row)._base_manager.filter(**{"pk": row.pk, column.field: old})
    return rows.update(**{column.field: new})
