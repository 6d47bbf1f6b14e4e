"""Reading the environment."""

import os

import pytest
from django.core.exceptions import ImproperlyConfigured

from smartqueue.env import (
    Mail,
    env_bool,
    env_choice,
    env_default,
    env_int,
    env_list,
    env_mail,
    env_ports,
    env_seconds,
)


@pytest.mark.parametrize(("raw", "expected"), [("1", True), ("Yes", True), ("off", False), ("", False)])
def test_bool_takes_the_usual_words(monkeypatch: pytest.MonkeyPatch, raw: str, expected: bool) -> None:
    monkeypatch.setenv("SMARTQUEUE_X", raw)

    assert env_bool("SMARTQUEUE_X", not expected) is expected


@pytest.mark.parametrize(
    "read",
    [
        lambda: env_bool("SMARTQUEUE_X", False),
        lambda: env_int("SMARTQUEUE_X", 1),
        lambda: env_choice("SMARTQUEUE_X", "on", {"on", "off"}),
        lambda: env_ports("SMARTQUEUE_X", "80"),
    ],
)
def test_a_wrong_value_fails_by_the_name_of_its_variable(monkeypatch: pytest.MonkeyPatch, read: object) -> None:
    monkeypatch.setenv("SMARTQUEUE_X", "perhaps")

    assert callable(read)
    with pytest.raises(ImproperlyConfigured, match="SMARTQUEUE_X='perhaps'"):
        read()


@pytest.mark.parametrize("raw", ["-1", "nan", "inf"])
def test_a_duration_is_finite_and_not_below_its_minimum(monkeypatch: pytest.MonkeyPatch, raw: str) -> None:
    monkeypatch.setenv("SMARTQUEUE_X", raw)

    with pytest.raises(ImproperlyConfigured):
        env_seconds("SMARTQUEUE_X", 1.0)


@pytest.mark.parametrize("raw", ["0", "65536", "80,-1", "８０", "80 443"])
def test_a_port_is_a_port(monkeypatch: pytest.MonkeyPatch, raw: str) -> None:
    monkeypatch.setenv("SMARTQUEUE_X", raw)

    with pytest.raises(ImproperlyConfigured, match="expected port numbers"):
        env_ports("SMARTQUEUE_X", "80")


def test_a_choice_is_read_whatever_its_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTQUEUE_X", " Auto ")

    assert env_choice("SMARTQUEUE_X", "off", {"auto", "off"}) == "auto"


def test_defaults_stand_where_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SMARTQUEUE_X", raising=False)

    assert (env_int("SMARTQUEUE_X", 7), env_seconds("SMARTQUEUE_X", 0.5), env_list("SMARTQUEUE_X", "a, b,")) == (
        7,
        0.5,
        ["a", "b"],
    )


@pytest.mark.parametrize(("set_to", "found"), [(None, "1"), ("4", "4")])
def test_a_library_gets_our_default_unless_the_operator_says(
    monkeypatch: pytest.MonkeyPatch, set_to: str | None, found: str
) -> None:
    monkeypatch.setenv("SMARTQUEUE_X", set_to or "")  # so that it is taken away afterwards
    if set_to is None:
        monkeypatch.delenv("SMARTQUEUE_X")

    env_default("SMARTQUEUE_X", "1")

    assert os.environ["SMARTQUEUE_X"] == found


@pytest.mark.parametrize(
    ("raw", "mail"),
    [
        ("", Mail()),
        ("smtp://mx.example", Mail("mx.example", 25)),
        ("smtp://[::1]:2525/", Mail("::1", 2525)),
        ("smtp+tls://a%40b:p%2Fw%3A@mx.example", Mail("mx.example", 587, "a@b", "p/w:", starttls=True)),
        ("smtps://a:b@mx.example:4650", Mail("mx.example", 4650, "a", "b", tls=True)),
        ("file:///var/mail%20box", Mail(folder="/var/mail box")),
    ],
)
def test_a_mail_server_is_an_address(monkeypatch: pytest.MonkeyPatch, raw: str, mail: Mail) -> None:
    monkeypatch.setenv("SMARTQUEUE_X", raw)

    assert env_mail("SMARTQUEUE_X", "") == mail


@pytest.mark.parametrize(
    "raw",
    [
        *("mx.example", "http://mx.example", "smtps://", "smtps://user:hunter2@", "smtps://mx.example:99999"),
        *("smtps://hunter2@mx.example", "smtp://user:hunter2@mx.example", "smtps://mx.example/hunter2", "file://a/b"),
        *("smtps://a:hunter2@mx.example?x=1", "file:b", "smtps://[mx"),
    ],
)
def test_a_wrong_address_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch, raw: str) -> None:
    monkeypatch.setenv("SMARTQUEUE_X", raw)

    with pytest.raises(ImproperlyConfigured, match="SMARTQUEUE_X: expected smtps://") as refusal:
        env_mail("SMARTQUEUE_X", "")

    assert "hunter2" not in str(refusal.value)
