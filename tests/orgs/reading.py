"""Pages as a person reads them, with eyes or with a screen reader."""

import re
from html import unescape
from typing import Any

from django.test import Client

from tests.factories import PASSWORD

SIGN_UP = {"username": "ada", "email": "ada@example.com", "password": "note G, 1843"}


def sign_in(client: Client, username: str, password: str = PASSWORD, **more: str) -> Any:
    return client.post("/sign-in/", {"username": username, "password": password, **more})


def text(response: Any) -> str:
    """What is to be read on a page."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def summary(response: Any) -> str:
    """What a screen reader says first about a form that was not accepted."""
    alert = re.search(r'<div [^>]*role="alert">(.*?)</div>', response.content.decode(), re.S)
    assert alert
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", alert[1])).split())


def error_of(response: Any, field: str) -> str:
    """What stands beside a field, found as a screen reader finds it."""
    page = response.content.decode()
    control = re.search(rf'<(?:input|select)[^>]*\bid="id_{field}"[^>]*>', page)
    assert control, f"no field {field}"
    described = re.search(r'aria-describedby="([^"]+)"', control[0])
    assert described, f"{field} is described by nothing"
    assert 'aria-invalid="true"' in control[0]
    places = [re.search(rf'<(\w+)[^>]*\bid="{id}"[^>]*>(.*?)</\1>', page, re.S) for id in described[1].split()]
    return unescape(re.sub(r"<[^>]+>", " ", " ".join(place[2] for place in places if place)))
