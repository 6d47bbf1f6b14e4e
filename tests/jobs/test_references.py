"""References in payloads: what is one, what is wrong with one, and what takes its place."""

from typing import Any

import pytest

from jobs.references import IN_A_NAME, MALFORMED, NOT_HERE, Known, names_in, reference_faults, replaced


class Names(Known):
    def __init__(self, *names: str) -> None:
        self.names = frozenset(names)


def faults(payload: dict[str, Any], fields: Any = None) -> list[tuple[str, str]]:
    return list(reference_faults(payload, fields, Names("token", "db_password")))


@pytest.mark.parametrize(
    "payload",
    [
        {"a": "{{secret:token}}"},
        {"a": ["x", {"b": "Bearer {{secret:token}}, {{secret:db_password}}{{secret:token}}"}]},
        {"a": "{{ other }} {{}} {secret:token} {{secrets}} {{secret}} $secret:x"},
        {"{{ key }}": "{{"},
    ],
)
def test_good_ones(payload: dict[str, Any]) -> None:
    assert faults(payload) == []


@pytest.mark.parametrize(
    "text",
    [
        "{{secret:}}",
        "{{secret:to-ken}}",
        "{{secret:1st}}",
        "{{secret:token}",
        "{{secret:token",
        "{{ secret:token }}",
        "{{secret: token}}",
        "{{Secret:token}}",
        "{{secret :token}}",
        "{{secret:token}} {{secret:to ken}}",
        "{{secret:" + "a" * 65 + "}}",
        "{{secret:é}}",
        "{{secret:token\n}}",
    ],
)
def test_malformed_ones_are_refused_by_their_place(text: str) -> None:
    assert faults({"a/b": [1, text]}) == [("/a~1b/1", MALFORMED)]


def test_an_unknown_name_is_refused_by_its_place() -> None:
    assert faults({"a": {"b": "x {{secret:nobody}}"}}) == [("/a/b", "Your organisation has no secret 'nobody'.")]


def test_names_of_fields_hold_none() -> None:
    assert faults({"a": {"{{secret:token}}": 1}}) == [("/a", IN_A_NAME)]


def test_a_type_may_allow_them_in_some_fields_only() -> None:
    payload = {"url": "{{secret:token}}", "method": "{{secret:token}}", "deep": {"url": "{{secret:token}}"}}

    assert faults(payload, ("url",)) == [("/method", NOT_HERE), ("/deep/url", NOT_HERE)]


def test_values_take_their_place_in_a_copy() -> None:
    payload = {"a": "x{{secret:token}}y{{secret:db_password}}", "b": [{"c": "{{secret:token}}"}, 1, None], "d": "{{x}}"}
    values = {"token": "{{secret:db_password}}", "db_password": "\\1\\g<0>"}

    assert names_in(payload) == {"token", "db_password"}
    # a value is no reference, whatever it says
    assert replaced(payload, values.__getitem__) == {
        "a": "x{{secret:db_password}}y\\1\\g<0>",
        "b": [{"c": "{{secret:db_password}}"}, 1, None],
        "d": "{{x}}",
    }
    assert payload["b"] == [{"c": "{{secret:token}}"}, 1, None]
