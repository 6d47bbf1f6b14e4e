"""What the API takes, strictly: a base for every serializer of a request."""

from collections.abc import Iterator, Mapping
from heapq import nsmallest
from typing import Any

from django.http import QueryDict
from drf_spectacular.extensions import OpenApiSerializerExtension
from rest_framework import serializers
from rest_framework.request import Request

# The JSON type each field takes. DRF on its own also takes 5 for "5", "５" for 5 and 5.0 for 5.
KINDS: tuple[tuple[type[serializers.Field[Any, Any, Any, Any]], type | tuple[type, ...], str], ...] = (
    (serializers.BooleanField, bool, "true or false"),
    (serializers.IntegerField, int, "a whole number"),
    (serializers.FloatField, (int, float), "a number"),
    (serializers.CharField, str, "a string"),
    (serializers.UUIDField, str, "a string"),
    (serializers.DateTimeField, str, "a string"),
    (serializers.MultipleChoiceField, list, "a list"),
    (serializers.ChoiceField, str, "a string"),
)
# Fields whose text is all digits, letters and marks of ASCII; int(), UUID() and regexes read other digits too.
ASCII_FIELDS = (serializers.IntegerField, serializers.FloatField, serializers.UUIDField, serializers.DateTimeField)
LARGEST_INTEGER = 2**63 - 1
MOST_ERRORS = 20
LONGEST_KEY = 64


# Refuses what it does not know: fields it has not, and values of another JSON type than the field's. Read-only fields
# count as unknown. In a query string, where everything is text, numbers may be text. (No docstring: subclasses would
# inherit it as their description in the API's documentation.)
class StrictSerializer(serializers.Serializer[Any]):
    @classmethod
    def read(cls, request: Request) -> dict[str, Any]:
        """What a request's body says, checked."""
        serializer = cls(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return super().to_internal_value(data)
        errors = {**self.unknown_fields(data), **self.wrong_kinds(data)}
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            detail = error.detail if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
            raise serializers.ValidationError({**detail, **errors}) from error
        if errors:
            raise serializers.ValidationError(errors)
        return value

    def unknown_fields(self, data: Mapping[str, Any]) -> dict[str, Any]:
        known = {field.field_name for field in self._writable_fields}
        strangers = nsmallest(MOST_ERRORS, (str(key) for key in data if key not in known))
        return {
            key[:LONGEST_KEY]: [serializers.ErrorDetail("This field is not known here.", "unknown")]
            for key in strangers
        }

    def wrong_kinds(self, data: Mapping[str, Any]) -> dict[str, Any]:
        as_text = isinstance(data, QueryDict)
        found = {
            str(field.field_name): list(complaints(field, data[str(field.field_name)], as_text))[:MOST_ERRORS]
            for field in self._writable_fields
            if field.field_name in data
        }
        return {name: errors for name, errors in found.items() if errors}


def complaints(
    field: serializers.Field[Any, Any, Any, Any], value: Any, as_text: bool
) -> Iterator[serializers.ErrorDetail]:
    """What is wrong with the type of a value; a list's items are looked at too. DRF itself judges null."""
    if isinstance(field, serializers.ListField) and isinstance(value, list):
        for item in value:
            yield from complaints(field.child, item, as_text)
        return
    if value is None:
        return
    for kind, python_type, words in KINDS:
        if isinstance(field, kind):
            if not of_type(value, python_type, as_text):
                yield serializers.ErrorDetail(f"This must be {words}.", "wrong_type")
            elif isinstance(field, ASCII_FIELDS) and isinstance(value, str) and not value.isascii():
                yield serializers.ErrorDetail("Only ASCII characters are read here.", "not_ascii")
            elif isinstance(value, int) and abs(value) > LARGEST_INTEGER:
                yield serializers.ErrorDetail("This number is too large.", "too_large")
            return


def of_type(value: Any, python_type: type | tuple[type, ...], as_text: bool) -> bool:
    if isinstance(value, bool) and python_type is not bool:
        return False
    return isinstance(value, python_type) or (as_text and isinstance(value, str))


class StrictSchema(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """How the documentation says that other fields are refused."""

    target_class = StrictSerializer
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        return {**schema, "additionalProperties": False}
