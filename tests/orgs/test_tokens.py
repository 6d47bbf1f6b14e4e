"""Refresh, logout and what makes a token worthless."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from orgs.accounts import change_password
from orgs.models import AuditEntry, SignIn, User
from orgs.tokens import forget_expired, give_tokens
from tests.conftest import World
from tests.factories import PASSWORD, api, make_user


def refresh(token: str) -> Any:
    return api().post("/api/v1/auth/refresh/", {"refresh": token})


def logout(token: str) -> Any:
    return api().post("/api/v1/auth/logout/", {"refresh": token})


def me(access: str) -> int:
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    return int(client.get("/api/v1/auth/me/").status_code)


@pytest.mark.django_db
def test_a_refresh_token_is_traded_for_two_new_tokens(world: World) -> None:
    first = str(give_tokens(world.owner))

    response = refresh(first)

    assert response.status_code == 200
    assert response.json()["refresh"] != first
    assert me(response.json()["access"]) == 200
    assert refresh(response.json()["refresh"]).status_code == 200


@pytest.mark.django_db
def test_a_refresh_token_used_twice_ends_the_family(world: World) -> None:
    """However many were traded since, and with them every access token."""
    first = give_tokens(world.owner)
    second = refresh(str(first)).json()
    third = refresh(second["refresh"]).json()
    accesses = [str(first.access_token), second["access"], third["access"]]
    assert [me(access) for access in accesses] == [200, 200, 200]

    assert refresh(str(first)).status_code == 401

    assert refresh(third["refresh"]).status_code == 401
    assert [me(access) for access in accesses] == [401, 401, 401]
    assert AuditEntry.objects.filter(action="auth.refresh_reused", actor=world.owner).exists()


@pytest.mark.django_db
def test_the_end_of_one_family_is_nothing_to_others(world: World) -> None:
    first, elsewhere, bystander = (str(give_tokens(who)) for who in (world.owner, world.owner, world.viewer))
    refresh(first)
    refresh(first)

    assert refresh(elsewhere).status_code == 200
    assert refresh(bystander).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_eight_refreshes_with_one_token_exactly_one_succeeds() -> None:
    token = str(give_tokens(make_user("racer")))
    start = Barrier(8)

    def race() -> int:
        try:
            start.wait(timeout=20)
            return int(refresh(token).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(future.result() for future in [pool.submit(race) for _ in range(8)])

    assert statuses == [200] + [401] * 7


@pytest.mark.django_db
def test_logout_ends_its_sign_in_at_once_and_no_other(world: World) -> None:
    one, other = give_tokens(world.owner), give_tokens(world.owner)
    newer = refresh(str(one)).json()

    assert logout(newer["refresh"]).status_code == 204

    assert [me(str(one.access_token)), me(newer["access"])] == [401, 401]
    assert logout(newer["refresh"]).status_code == 204
    assert me(str(other.access_token)) == 200
    assert refresh(str(other)).status_code == 200
    assert AuditEntry.objects.filter(action="auth.logout", actor=world.owner).count() == 1


@pytest.mark.django_db
def test_a_token_that_was_logged_out_cannot_be_refreshed(world: World) -> None:
    token = str(give_tokens(world.owner))
    logout(token)

    assert refresh(token).status_code == 401


@pytest.mark.django_db
def test_a_new_password_ends_every_token_given_out_before(world: World) -> None:
    old = give_tokens(world.owner)
    client = api(world.owner)

    response = client.post(
        "/api/v1/auth/password/", {"current_password": PASSWORD, "new_password": "a wholly other phrase"}
    )

    assert response.status_code == 200
    assert me(str(old.access_token)) == 401
    assert refresh(str(old)).status_code == 401
    assert me(response.json()["access"]) == 200
    assert refresh(response.json()["refresh"]).status_code == 200
    assert AuditEntry.objects.filter(action="auth.password", actor=world.owner).count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("current", "new", "field"),
    [
        ("not mine", "a wholly other phrase", "/current_password"),
        (PASSWORD, "short", "/new_password"),
        (PASSWORD, "operator", "/new_password"),
        (PASSWORD, "12345678901", "/new_password"),
    ],
)
def test_a_password_is_not_changed_without_the_old_one_or_to_a_weak_one(
    world: World, current: str, new: str, field: str
) -> None:
    sent = {"current_password": current, "new_password": new}
    response = api(world.operator).post("/api/v1/auth/password/", sent)

    assert response.status_code == 400
    assert {error["pointer"] for error in response.json()["errors"]} == {field}
    world.operator.refresh_from_db()
    assert world.operator.check_password(PASSWORD)


@pytest.mark.django_db
def test_a_closed_account_has_no_use_for_its_tokens(world: World) -> None:
    token = give_tokens(world.owner)
    User.objects.filter(pk=world.owner.pk).update(is_active=False)

    assert me(str(token.access_token)) == 401
    assert refresh(str(token)).status_code == 401


# --- The next call ----------------------------------------------------------------------------------------------


def changed_by_owner(world: World, method: str, path: str, body: Any = None) -> None:
    assert getattr(api(world.owner), method)(f"/api/v1/orgs/acme/members/{path}/", body).status_code < 300


JOBS = "/api/v1/jobs/"
ADD = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
# What happens to the operator, and what his token opens afterwards: who he is, reading, submitting.
CHANGES: dict[str, tuple[Callable[[World], Any], tuple[int, int, int]]] = {
    "demoted": (lambda world: changed_by_owner(world, "patch", "operator", {"role": "viewer"}), (200, 200, 403)),
    "removed": (lambda world: changed_by_owner(world, "delete", "operator"), (200, 403, 403)),
    "suspended": (lambda world: User.objects.filter(username="operator").update(is_active=False), (401, 401, 401)),
    "deleted": (lambda world: world.operator.delete(), (401, 401, 401)),
    "another password": (lambda world: change_password(world.operator, "a wholly other phrase"), (401, 401, 401)),
    "signed out": (lambda world: SignIn.objects.update(ended_at=Now()), (401, 401, 401)),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", CHANGES)
def test_what_is_taken_away_is_gone_at_the_next_call(world: World, name: str) -> None:
    change, expected = CHANGES[name]
    client = api(world.operator)

    def opens() -> tuple[int, ...]:
        calls = (client.get("/api/v1/auth/me/"), client.get(JOBS), client.post(JOBS, ADD))
        return tuple(call.status_code for call in calls)

    assert opens() == (200, 200, 201)
    change(world)

    assert opens() == expected


@pytest.mark.django_db
def test_what_is_kept_of_a_token_signs_nobody_in(world: World) -> None:
    token = give_tokens(world.owner)

    with connection.cursor() as cursor:
        cursor.execute("SELECT o::text FROM token_blacklist_outstandingtoken AS o")
        kept = str(cursor.fetchall())
    assert str(token).rsplit(".", 1)[1] not in kept
    assert token["jti"] in kept


def test_tokens_are_held_to_what_was_promised() -> None:
    held = api_settings
    assert ("HS256", 0, timedelta(minutes=5)) == (held.ALGORITHM, held.LEEWAY, held.ACCESS_TOKEN_LIFETIME)
    assert (held.AUDIENCE, held.ISSUER) == ("smartqueue", "smartqueue")
    assert len(held.SIGNING_KEY) >= 32
    assert held.SIGNING_KEY != settings.SECRET_KEY


# --- Headers ----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("header", ["", "Bearer", "Bearer a b", "Basic b3duZXI6eA==", "Token x", "Bearer "])
def test_other_authorization_headers_are_no_sign_in(world: World, header: str) -> None:
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=header)

    response = client.get("/api/v1/auth/me/")

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert response.json()["status"] == 401


@pytest.mark.django_db
def test_a_session_cookie_does_not_open_the_api(world: World) -> None:
    client = APIClient(raise_request_exception=False)
    client.force_login(world.owner)

    assert client.get("/api/v1/auth/me/").status_code == 401


@pytest.mark.django_db
def test_tokens_and_sign_ins_of_the_past_are_forgotten_so_many_at_a_time(world: World) -> None:
    for _ in range(3):
        refresh(str(give_tokens(world.owner)))
    old = give_tokens(world.owner)
    past = timezone.now() - timedelta(seconds=1)
    SignIn.objects.exclude(pk=old["sid"]).update(expires_at=past)
    OutstandingToken.objects.exclude(jti=old["jti"]).update(expires_at=past)

    forget_expired(2)
    assert (SignIn.objects.count(), OutstandingToken.objects.count()) == (2, 5)
    for _ in range(3):
        forget_expired(2)

    assert (SignIn.objects.count(), OutstandingToken.objects.count()) == (1, 1)
    assert refresh(str(old)).status_code == 200
