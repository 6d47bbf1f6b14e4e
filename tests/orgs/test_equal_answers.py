"""Who has an account, and whose address is known, is not to be learned from answers, nor from the work behind them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.http import HttpResponse
from pytest_django.fixtures import Settings

from tests.conftest import World
from tests.factories import PASSWORD, api, browser, make_user

pytestmark = pytest.mark.django_db

WRONG = "not the password at all"
# Of what is sent: a good name with another password, no such name, and an account that is closed, by either password.
TRIES = {
    "wrong password": ("owner", WRONG),
    "no such name": ("nobody", WRONG),
    "no name at all": ("not a name!", WRONG),
    "closed, right password": ("closed", PASSWORD),
    "closed, wrong password": ("closed", WRONG),
    "another case": ("OWNER", WRONG),
}


class Counted(Argon2PasswordHasher):
    """What is stored in production, with each hash counted."""

    time_cost = 1
    memory_cost = 8
    parallelism = 1
    hashes: list[str] = []

    def encode(self, password: str, salt: str) -> str:
        self.hashes.append("encode")
        return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        self.hashes.append("verify")
        return super().verify(password, encoded)


@pytest.fixture
def hashes(world: World, settings: Settings) -> list[str]:
    settings.PASSWORD_HASHERS = [f"{Counted.__module__}.Counted"]
    for user in (world.owner, make_user("closed", is_active=False)):
        user.set_password(PASSWORD)
        user.save()
    Counted.hashes.clear()
    return Counted.hashes


def by_rest(username: str, password: str) -> HttpResponse:
    response: HttpResponse = api().post("/api/v1/auth/login/", {"username": username, "password": password})
    return response


def by_page(username: str, password: str) -> HttpResponse:
    return browser().post("/sign-in/", {"username": username, "password": password})


@pytest.mark.parametrize("sign_in", [by_rest, by_page])
def test_whoever_is_not_let_in_gets_one_answer_for_the_same_work(
    hashes: list[str], sign_in: Callable[..., HttpResponse]
) -> None:
    answers, work = set(), {}
    for name, (username, password) in TRIES.items():
        hashes.clear()
        response = sign_in(username, password)
        # the page shows again what was typed, and each answer its own request
        text = response.content.decode().replace(username, "")
        if sign_in is by_rest:
            body: Any = response.json()  # type: ignore[attr-defined]
            text = str({key: value for key, value in body.items() if key != "request_id"})
        answers.add((response.status_code, "The username or the password is not right." in text))
        work[name] = len(hashes)

    assert answers == {(401 if sign_in is by_rest else 422, True)}
    assert work == dict.fromkeys(TRIES, 1)


def test_the_answers_are_alike_to_the_letter(hashes: list[str]) -> None:
    bodies = []
    for username, password in TRIES.values():
        response: Any = by_rest(username, password)
        bodies.append({**response.json(), "request_id": ""})

    assert all(body == bodies[0] for body in bodies)


def test_a_known_address_registers_like_an_unknown_one(world: World) -> None:
    """Addresses are nobody's own until they are used to invite: two accounts may have the same one."""
    world.owner.email = "known@example.com"
    world.owner.save()
    sent = {"password": "note G, 1843"}

    known = api().post("/api/v1/auth/register/", {**sent, "username": "ada", "email": "known@example.com"})
    unknown = api().post("/api/v1/auth/register/", {**sent, "username": "bea", "email": "other@example.com"})
    page = browser().post("/sign-up/", {**sent, "username": "cid", "email": "KNOWN@example.com"})

    assert (known.status_code, unknown.status_code, page.status_code) == (201, 201, 302)
    assert known.json().keys() == unknown.json().keys()


def test_a_known_address_is_invited_like_an_unknown_one(world: World) -> None:
    world.loner.email = "known@example.com"
    world.loner.save()
    path, role = "/api/v1/orgs/acme/invitations/", "viewer"

    known = api(world.owner).post(path, {"email": "known@example.com", "role": role})
    unknown = api(world.owner).post(path, {"email": "other@example.com", "role": role})

    assert (known.status_code, unknown.status_code) == (201, 201)
    assert (known.json()["username"], unknown.json()["username"]) == (None, None)
