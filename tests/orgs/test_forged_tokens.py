"""Tokens that are not ours, or not any more: each is refused in the one shape, and nothing breaks."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from django.http import HttpResponse
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import Token

from orgs.models import SignIn
from orgs.tokens import give_tokens
from tests.conftest import World
from tests.factories import api

pytestmark = pytest.mark.django_db


def refresh(token: Any) -> Any:
    return api().post("/api/v1/auth/refresh/", {"refresh": token})


def logout(token: Any) -> Any:
    return api().post("/api/v1/auth/logout/", {"refresh": token})


def me(access: str) -> Any:
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    return client.get("/api/v1/auth/me/")


def assert_refused(response: HttpResponse) -> None:
    assert response.status_code == 401, response.content
    assert response["Content-Type"] == "application/problem+json"
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert json.loads(response.content)["status"] == 401


def claims(token: Token) -> dict[str, Any]:
    return dict(jwt.decode(str(token), options={"verify_signature": False}))


def without(good: dict[str, Any], claim: str) -> dict[str, Any]:
    return {key: value for key, value in good.items() if key != claim}


def signed(payload: dict[str, Any], key: str = "", algorithm: str = "HS256", **header: str) -> str:
    return jwt.encode(payload, key or settings.JWT_SIGNING_KEY, algorithm=algorithm, headers=header or None)


def b64(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


def unsigned(payload: Any, algorithm: str) -> str:
    return ".".join(b64(json.dumps(part).encode()) for part in ({"alg": algorithm, "typ": "JWT"}, payload)) + "."


@cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def by_public_key(payload: dict[str, Any], algorithm: str) -> str:
    """Signed with the text of a public key, which everybody knows, as if that were the secret."""
    public = private_key().public_key()
    text = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    signed_part = unsigned(payload, algorithm)[:-1]
    return f"{signed_part}.{b64(hmac.new(text, signed_part.encode(), hashlib.sha256).digest())}"


def with_own_key(payload: dict[str, Any]) -> str:
    """The key to check it with comes along."""
    jwk = {"kty": "oct", "k": b64(b"x" * 64)}
    return jwt.encode(payload, "x" * 64, algorithm="HS256", headers={"jwk": jwk})


def claiming(good: dict[str, Any], **changes: Any) -> str:
    """Signed by ourselves, were we ever to sign such a thing."""
    return signed(good | changes)


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
    "two dots only": lambda good: "..",
    "one dot only": lambda good: ".",
    "a word": lambda good: "null",
    "not ASCII": lambda good: "\xff\xfe",
    "a public key as secret": lambda good: by_public_key(good, "HS256"),
    "RS256 by a public key as secret": lambda good: by_public_key(good, "RS256"),
    "RS256 by a key of his own": lambda good: jwt.encode(good, private_key(), algorithm="RS256"),
    "a key that comes along": lambda good: with_own_key(good),
    "a list for claims": lambda good: unsigned([good], "HS256"),
    "another organisation, unsigned for": lambda good: other_claims(signed(good), org="rival", role="org_admin"),
    "superuser, unsigned for": lambda good: other_claims(signed(good), is_superuser=True),
    "a list of users": lambda good: claiming(good, user_id=[good["user_id"]]),
    "a user that is a number": lambda good: claiming(good, user_id=int(good["user_id"])),
    "a user in other digits": lambda good: claiming(good, user_id="\u0661"),
    "a user with NUL": lambda good: claiming(good, user_id="1\0"),
    "a user past every integer": lambda good: claiming(good, user_id="9" * 40),
    "no sign-in": lambda good: signed(without(good, "sid")),
    "no such sign-in": lambda good: claiming(good, sid=str(uuid4())),
    "somebody else's sign-in": lambda good: claiming(good, sid=str(SignIn.objects.exclude(pk=good["sid"]).get().pk)),
    "a sign-in that is none": lambda good: claiming(good, sid="' OR 1=1--"),
    "a list of sign-ins": lambda good: claiming(good, sid=[good["sid"]]),
    "an end that is a word": lambda good: claiming(good, exp="never"),
    "an end past all time": lambda good: claiming(good, exp=10**30),
}


@pytest.fixture(autouse=True)
def another_sign_in(world: World) -> None:
    give_tokens(world.viewer)


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_access_token_opens_nothing(world: World, name: str) -> None:
    assert_refused(me(FORGED[name](claims(give_tokens(world.owner).access_token))))


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_refresh_token_is_not_traded_nor_ended(world: World, name: str) -> None:
    token = FORGED[name](claims(give_tokens(world.owner)))

    assert_refused(refresh(token))
    assert_refused(logout(token))
    assert SignIn.objects.filter(ended_at=None).count() == 2


def test_claims_beside_those_that_count_give_nothing(world: World) -> None:
    """Even signed by ourselves: where he is a member, and as what, is in the database alone."""
    good = claims(give_tokens(world.viewer).access_token)
    client = APIClient(raise_request_exception=False)
    token = claiming(good, org="rival", org_id=world.rival.pk, role="org_admin", is_superuser=True)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")

    assert client.get("/api/v1/jobs/").status_code == 200
    assert client.post("/api/v1/jobs/", {}).status_code == 403
    assert client.get("/api/v1/orgs/rival/").status_code == 404
    assert client.get("/api/v1/platform/users/").status_code == 403


def test_the_claims_that_forgeries_start_from_are_good(world: World) -> None:
    """Or they would be refused for another reason than theirs."""
    token = give_tokens(world.owner)

    assert me(signed(claims(token.access_token))).status_code == 200
    assert refresh(signed(claims(token))).status_code == 200


def test_each_token_is_good_for_its_own_use_only(world: World) -> None:
    token = give_tokens(world.owner)

    assert_refused(me(str(token)))
    assert refresh(str(token.access_token)).status_code == 401


def test_an_endless_token_is_refused(world: World) -> None:
    assert_refused(me("x" * 1_000_000))
    assert_refused(me(signed(claims(give_tokens(world.owner).access_token) | {"pad": "x" * 1_000_000}, "x" * 64)))
    assert refresh("x" * 1_000_000).status_code == 400


def test_an_expired_refresh_token_is_not_traded(world: World) -> None:
    token = give_tokens(world.owner)
    token.set_exp(lifetime=timedelta(seconds=-1))

    assert refresh(str(token)).status_code == 401
