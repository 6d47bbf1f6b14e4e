"""The strict base of what the API takes."""

from typing import Any

import pytest
from django.http import QueryDict
from rest_framework import serializers

from orgs.serializers import StrictSerializer


class Sample(StrictSerializer):
    name = serializers.CharField(required=False, max_length=10)
    count = serializers.IntegerField(required=False, allow_null=True)
    ratio = serializers.FloatField(required=False)
    on = serializers.BooleanField(required=False)
    at = serializers.DateTimeField(required=False)
    key = serializers.UUIDField(required=False)
    kind = serializers.ChoiceField(["a", "b"], required=False)
    tags = serializers.ListField(child=serializers.CharField(), required=False)
    free = serializers.JSONField(required=False)
    id = serializers.IntegerField(read_only=True)


def codes(data: Any) -> dict[str, str]:
    sample = Sample(data=data)
    sample.is_valid()
    return {name: errors[0].code for name, errors in sample.errors.items()}


@pytest.mark.parametrize(
    "data",
    [
        {"name": "x", "count": 5, "ratio": 1, "on": True, "kind": "a", "tags": ["x"], "free": [{"any": 1}]},
        {"at": "2025-01-01T00:00:00Z", "key": "018f0000-0000-7000-8000-000000000001"},
        {"count": None},
        {},
        QueryDict("count=5&ratio=0.5&on=true&name=x"),
    ],
)
def test_values_of_the_right_type_are_taken(data: Any) -> None:
    assert codes(data) == {}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"role": "org_admin"}, {"role": "unknown"}),
        ({"id": 7}, {"id": "unknown"}),
        ({"name": "x" * 11, "role": "x"}, {"name": "max_length", "role": "unknown"}),
        ({"name": 5}, {"name": "wrong_type"}),
        ({"count": "5"}, {"count": "wrong_type"}),
        ({"count": "５"}, {"count": "wrong_type"}),
        ({"count": True}, {"count": "wrong_type"}),
        ({"count": 5.0}, {"count": "wrong_type"}),
        ({"count": 2**63}, {"count": "too_large"}),
        ({"ratio": "1.5"}, {"ratio": "wrong_type"}),
        ({"ratio": False}, {"ratio": "wrong_type"}),
        ({"on": "true"}, {"on": "wrong_type"}),
        ({"on": 1}, {"on": "wrong_type"}),
        ({"at": "２０２５-01-01T00:00:00Z"}, {"at": "not_ascii"}),
        ({"key": "０18f0000-0000-7000-8000-000000000001"}, {"key": "not_ascii"}),
        ({"key": 5}, {"key": "wrong_type"}),
        ({"kind": ["a"]}, {"kind": "wrong_type"}),
        ({"tags": ["x", 5]}, {"tags": "wrong_type"}),
        ({"tags": {"0": "x"}}, {"tags": "not_a_list"}),
        (QueryDict("count=５"), {"count": "not_ascii"}),
        (QueryDict("colour=red"), {"colour": "unknown"}),
        ([], {"non_field_errors": "invalid"}),
        ("text", {"non_field_errors": "invalid"}),
        (5, {"non_field_errors": "invalid"}),
    ],
)
def test_values_of_the_wrong_type_and_unknown_fields_are_refused(data: Any, expected: dict[str, str]) -> None:
    assert codes(data) == expected


def test_a_flood_of_unknown_fields_is_answered_shortly() -> None:
    sample = Sample(data={"k" * 5_000 + str(number): 1 for number in range(1_000)})

    assert not sample.is_valid()
    assert len(str(sample.errors)) < 5_000
