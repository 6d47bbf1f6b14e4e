"""Fields that are not shown by their names, and masks that come back."""

from typing import Any

import pytest

from jobs.hiding import hidden_values, hide, is_sensitive, mask_faults, restore
from jobs.masking import MASK

PAYLOAD: dict[str, Any] = {
    "url": "https://example.com/",
    "headers": {"Authorization": "Bearer abcdefgh", "X-Api-Key": "k-1234", "Accept": "*/*"},
    "json": {
        "db": {"user": "me", "password": "hunter2", "port": 5432},
        "credentials": {"user": "me", "pin": 1234, "on": True, "none": None, "list": ["a", ""]},
        "accounts": [{"name": "a", "client_secret": "s1"}, {"name": "b", "client_secret": "s2"}],
    },
}
SHOWN: dict[str, Any] = {
    "url": "https://example.com/",
    "headers": {"Authorization": MASK, "X-Api-Key": MASK, "Accept": "*/*"},
    "json": {
        "db": {"user": "me", "password": MASK, "port": 5432},
        "credentials": {"user": MASK, "pin": MASK, "on": True, "none": None, "list": [MASK, ""]},
        "accounts": [{"name": "a", "client_secret": MASK}, {"name": "b", "client_secret": MASK}],
    },
}


@pytest.mark.parametrize(
    "name",
    [
        *("password", "PASSWORD", "db_password", "dbPassword", "passwd", "user-pwd", "passphrase", "secret"),
        *("clientSecret", "Authorization", "Proxy-Authorization", "auth", "api_key", "apiKey", "X-API-Key"),
        *("AWS_SECRET_ACCESS_KEY", "aws_access_key", "private_key", "credentials", "Cookie", "Set-Cookie", "token"),
        *("access_token", "X-Auth-Token", "sessionid", "x" * 100 + "_token"),
    ],
)
def test_names_that_tell(name: str) -> None:
    assert is_sensitive(name)


@pytest.mark.parametrize("name", ["user", "max_tokens", "key", "keyboard", "author", "path", "url", "task", "", "pass"])
def test_names_that_do_not(name: str) -> None:
    assert not is_sensitive(name)


def test_a_payload_is_shown_without_them_and_stays_as_it_is() -> None:
    assert hide(PAYLOAD) == SHOWN
    assert PAYLOAD["json"]["db"]["password"] == "hunter2"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("{{secret:token}}", True),
        ("Bearer {{secret:token}}", True),
        ("Bearer abc{{secret:token}}", False),
        ("Basic YWJjOmRlZg== {{secret:token}}", False),
        ("{{secret:not-a-name}}", False),
    ],
)
def test_a_reference_tells_nothing_and_is_shown(value: str, shown: bool) -> None:
    assert hide({"authorization": value}) == {"authorization": value if shown else MASK}


def test_what_was_shown_and_comes_back_is_what_it_was() -> None:
    assert restore(SHOWN, PAYLOAD) == PAYLOAD


def test_a_new_value_stands_and_so_does_what_is_new() -> None:
    sent = {**SHOWN, "headers": {"Authorization": "Bearer new", "X-Api-Key": MASK, "Token": MASK}, "note": MASK}
    kept = {**PAYLOAD, "note": "text"}

    assert restore(sent, kept)["headers"] == {"Authorization": "Bearer new", "X-Api-Key": "k-1234", "Token": MASK}
    # under a name that hides nothing it is a text like any other
    assert restore(sent, kept)["note"] == MASK
    assert mask_faults(restore(sent, kept))[0][0] == "/headers/Token"
    assert len(mask_faults(restore(sent, kept))) == 1


def test_in_a_list_of_another_length_nothing_is_given_back() -> None:
    """It could be the value of another."""
    sent = {"json": {"accounts": SHOWN["json"]["accounts"][1:]}}
    restored = restore(sent, PAYLOAD)

    assert restored == sent
    assert [pointer for pointer, _ in mask_faults(restored)] == ["/json/accounts/0/client_secret"]


def test_the_values_are_known_with_and_without_their_scheme() -> None:
    assert sorted(set(hidden_values(PAYLOAD))) == sorted(
        {"Bearer abcdefgh", "abcdefgh", "k-1234", "hunter2", "me", "a", "", "s1", "s2"}
    )
    assert hidden_values({"task": "demo.add", "kwargs": {"a": 1, "b": [1, "2"]}}) == []
