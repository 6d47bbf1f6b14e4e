"""Pages of lists: `{"items": [...], "next_cursor": null | "..."}` and a Link header. By key, never by offset."""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from django.core.exceptions import ValidationError as FieldInvalid
from django.db.models import Model, Q, QuerySet
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from jobs.api.filters import order
from jobs.listing import Finder, InvalidCursor, TooSlow, bounded, page
from jobs.models import JobQuerySet
from jobs.queue.enqueue import canonical
from jobs.strict_json import loads

RowModel = TypeVar("RowModel", bound=Model)


def bad_cursor() -> ValidationError:
    return ValidationError({"cursor": "This is no cursor of this list."}, "cursor")


def page_response(
    request: Request, items: Sequence[Any], next_cursor: str | None, shape: type[serializers.Serializer[Any]]
) -> Response:
    response = Response({"items": shape(items, many=True).data, "next_cursor": next_cursor})
    if next_cursor:
        address = replace_query_param(request.build_absolute_uri(), "cursor", next_cursor)
        response["Link"] = f'<{address}>; rel="next"'
    return response


def page_of(items: type[serializers.Serializer[Any]]) -> Any:
    """The shape of page_response(), for the documentation."""
    name = items.__name__.removesuffix("Serializer")
    return inline_serializer(
        f"{name}Page",
        {
            "items": items(many=True),
            "next_cursor": serializers.CharField(
                allow_null=True, help_text="Send it as `cursor` for the next page; null on the last."
            ),
        },
    )


def job_page(
    request: Request,
    jobs: JobQuerySet,
    asked: dict[str, Any],
    shape: type[serializers.Serializer[Any]],
    finder: Finder | None = None,
) -> Response:
    """A page of jobs in the order that was asked for."""
    try:
        with bounded():
            found = page(jobs, size=asked["limit"], sort=order(asked), cursor=asked["cursor"], finder=finder)
    except InvalidCursor as error:
        raise bad_cursor() from error
    except TooSlow as error:
        text = "The database took too long over this list: narrow it, above all by created_after."
        raise ValidationError(text, "too_slow") from error
    return page_response(request, found.jobs, found.next_cursor, shape)


def key_page(rows: QuerySet[RowModel], *columns: str, limit: int, cursor: str) -> tuple[list[RowModel], str | None]:
    """Up to `limit` rows after the cursor, by columns that together are unique and not null; all go one way."""
    beyond = "lt" if columns[0].startswith("-") else "gt"
    names = [column.removeprefix("-") for column in columns]
    if cursor:
        rows = rows.filter(following(names, read(cursor, rows.model, names), beyond))
    found = list(rows.order_by(*columns)[: limit + 1])
    if len(found) <= limit:
        return found, None
    found = found[:limit]
    last = [getattr(found[-1], name) for name in names]
    return found, written([value if isinstance(value, int) else str(value) for value in last])


def following(names: Sequence[str], values: Sequence[Any], beyond: str) -> Q:
    """(a, b) > (x, y), as a >= x AND (a > x OR (a = x AND b > y)): the first part is what an index can use."""
    (name, *names), (value, *values) = names, values
    if not names:
        return Q(**{f"{name}__{beyond}": value})
    later = Q(**{f"{name}__{beyond}": value}) | (Q(**{name: value}) & following(names, values, beyond))
    return Q(**{f"{name}__{beyond}e": value}) & later


def written(values: list[Any]) -> str:
    return base64.urlsafe_b64encode(canonical(values)).decode().rstrip("=")


def read(cursor: str, model: type[Model], names: Sequence[str]) -> list[Any]:
    """The values of a cursor; it comes from the caller, so each must be one that its column could hold."""
    try:
        values = loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        if not isinstance(values, list) or len(values) != len(names):
            raise bad_cursor()
        return [cleaned(model, name, value) for name, value in zip(names, values, strict=True)]
    except (ValueError, TypeError, binascii.Error, FieldInvalid) as error:
        raise bad_cursor() from error


def cleaned(model: type[Model], name: str, value: Any) -> Any:
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        raise TypeError
    field = model._meta.get_field(name)
    found = field.clean(value, None)  # type: ignore[union-attr]
    if isinstance(found, datetime) and found.tzinfo is None:
        raise ValueError
    return found
