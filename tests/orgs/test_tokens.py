"""Refresh, logout and what makes a token worthless."""

import base64
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.db import connection
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import Token

from orgs.accounts import give_tokens
from orgs.models import AuditEntry, User
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
    first = str(give_tokens(world.owner))
    newer = refresh(first).json()["refresh"]

    assert refresh(first).status_code == 401

    assert refresh(newer).status_code == 401
    assert AuditEntry.objects.filter(action="auth.refresh_reused", actor=world.owner).exists()


@pytest.mark.django_db
def test_the_end_of_one_family_is_nothing_to_other_people(world: World) -> None:
    first, bystander = str(give_tokens(world.owner)), str(give_tokens(world.viewer))
    refresh(first)
    refresh(first)

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
def test_logout_ends_the_refresh_token_and_no_other(world: World) -> None:
    one, other = str(give_tokens(world.owner)), str(give_tokens(world.owner))

    assert logout(one).status_code == 204

    assert logout(one).status_code == 204
    assert refresh(other).status_code == 200
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


def claims(token: Token) -> dict[str, Any]:
    return dict(jwt.decode(str(token), options={"verify_signature": False}))


def without(good: dict[str, Any], claim: str) -> dict[str, Any]:
    return {key: value for key, value in good.items() if key != claim}


def signed(payload: dict[str, Any], key: str = "", algorithm: str = "HS256", **header: str) -> str:
    return jwt.encode(payload, key or settings.JWT_SIGNING_KEY, algorithm=algorithm, headers=header or None)


def unsigned(payload: dict[str, Any], algorithm: str) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": algorithm, "typ": "JWT"}, payload)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."


def cut(token: str) -> str:
    return token.rsplit(".", 1)[0] + "."


def other_claims(token: str, **changes: Any) -> str:
    """The same signature over other claims."""
    head, body, signature = token.split(".")
    payload = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))) | changes
    changed = base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip("=")
    return f"{head}.{changed}.{signature}"


FORGED: dict[str, Callable[[dict[str, Any]], str]] = {
    "no algorithm": lambda good: unsigned(good, "none"),
    "no algorithm, spelt nOnE": lambda good: unsigned(good, "nOnE"),
    "another key": lambda good: signed(good, "x" * 64),
    "Django's secret key": lambda good: signed(good, settings.SECRET_KEY),
    "another algorithm": lambda good: signed(good, algorithm="HS512"),
    "a key by path": lambda good: signed(good, "x" * 64, kid="../../dev/null"),
    "a key by address": lambda good: signed(good, "x" * 64, jku="http://127.0.0.1:1/keys"),
    "no signature": lambda good: cut(signed(good)),
    "changed user": lambda good: other_claims(signed(good), user_id=str(int(good["user_id"]) + 1)),
    "expired": lambda good: signed(good | {"exp": int(time.time()) - 1}),
    "no expiry": lambda good: signed(without(good, "exp")),
    "not yet valid": lambda good: signed(good | {"nbf": int(time.time()) + 600}),
    "another audience": lambda good: signed(good | {"aud": "elsewhere"}),
    "no audience": lambda good: signed(without(good, "aud")),
    "another issuer": lambda good: signed(good | {"iss": "elsewhere"}),
    "no kind": lambda good: signed(without(good, "token_type")),
    "another kind": lambda good: signed(good | {"token_type": "sliding"}),
    "no id": lambda good: signed(without(good, "jti")),
    "no user": lambda good: signed(without(good, "user_id")),
    "nobody": lambda good: signed(good | {"user_id": "999999999"}),
    "before the password changed": lambda good: signed(good | {"hash_password": "X" * 32}),
    "rubbish": lambda good: "....",
    "not ASCII": lambda good: "\xff\xfe",
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", FORGED)
def test_a_forged_access_token_opens_nothing(world: World, name: str) -> None:
    token = FORGED[name](claims(give_tokens(world.owner).access_token))

    assert me(token) == 401


@pytest.mark.django_db
@pytest.mark.parametrize("name", FORGED)
def test_a_forged_refresh_token_is_not_traded_nor_ended(world: World, name: str) -> None:
    token = FORGED[name](claims(give_tokens(world.owner)))

    assert (refresh(token).status_code, logout(token).status_code) == (401, 401)


@pytest.mark.django_db
def test_the_claims_that_forgeries_start_from_are_good(world: World) -> None:
    """Or they would be refused for another reason than theirs."""
    token = give_tokens(world.owner)

    assert me(signed(claims(token.access_token))) == 200
    assert refresh(signed(claims(token))).status_code == 200


@pytest.mark.django_db
def test_each_token_is_good_for_its_own_use_only(world: World) -> None:
    token = give_tokens(world.owner)

    assert me(str(token)) == 401
    assert refresh(str(token.access_token)).status_code == 401


@pytest.mark.django_db
def test_an_endless_token_is_refused(world: World) -> None:
    assert me("x" * 1_000_000) == 401
    assert refresh("x" * 1_000_000).status_code == 400


@pytest.mark.django_db
def test_an_expired_refresh_token_is_not_traded(world: World) -> None:
    token = give_tokens(world.owner)
    token.set_exp(lifetime=timedelta(seconds=-1))

    assert refresh(str(token)).status_code == 401


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
