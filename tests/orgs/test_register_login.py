"""Making an account and signing in over REST."""

from typing import Any

import pytest
from django.contrib.auth.hashers import identify_hasher

from orgs.models import AuditEntry, Membership, Org, User
from tests.conftest import World
from tests.factories import PASSWORD, api, make_user

pytestmark = pytest.mark.django_db

GOOD = {"username": "ada", "email": "ada@example.com", "password": "note G, 1843"}


def register(**fields: Any) -> Any:
    return api().post("/api/v1/auth/register/", {**GOOD, **fields})


def login(username: str, password: str = PASSWORD) -> Any:
    return api().post("/api/v1/auth/login/", {"username": username, "password": password})


def pointers(response: Any) -> set[str]:
    assert response.headers["Content-Type"] == "application/problem+json"
    return {error["pointer"] for error in response.json()["errors"]}


def test_a_new_person_is_signed_in_at_once() -> None:
    response = register()

    assert response.status_code == 201
    body = response.json()
    assert (body["user"]["username"], body["user"]["memberships"], body["user"]["active_org"]) == ("ada", [], None)
    me = api()
    me.credentials(HTTP_AUTHORIZATION=f"Bearer {body['access']}")
    assert me.get(response.headers["Location"]).json() == body["user"]


def test_a_new_person_is_org_admin_of_the_organisation_he_names() -> None:
    body = register(organisation="Analytical Engines").json()

    assert body["user"]["memberships"] == [
        {"org": "analytical-engines", "name": "Analytical Engines", "role": "org_admin"}
    ]
    assert body["user"]["active_org"] == "analytical-engines"


def test_an_organisation_of_a_taken_name_gets_an_address_of_its_own(world: World) -> None:
    body = register(organisation="Acme").json()

    assert body["user"]["active_org"] == "acme-2"
    assert not Membership.objects.filter(org=world.org, user__username="ada").exists()


@pytest.mark.parametrize(
    "extra",
    [
        {"role": "org_admin"},
        {"role": "admin"},
        {"org": "acme"},
        {"is_staff": True},
        {"is_superuser": True},
        {"is_active": True},
        {"id": 1},
        {"active_org": "acme"},
        {"memberships": [{"org": "acme", "role": "org_admin"}]},
        {"__proto__": {}},
    ],
)
def test_nobody_registers_with_rights_of_his_own_choice(world: World, extra: dict[str, Any]) -> None:
    response = register(**extra)

    assert response.status_code == 400
    assert [error["code"] for error in response.json()["errors"]] == ["unknown"]
    assert not User.objects.filter(username="ada").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", ""),
        ("username", "ab"),
        ("username", "a" * 33),
        ("username", "a" * 10_000),
        ("username", "-ada"),
        ("username", "a da"),
        ("username", "ada\n"),
        ("username", "ad\u0430"),
        ("username", "ａｄａ"),
        ("username", "root"),
        ("username", "Owner"),
        ("username", 123),
        ("username", ["ada"]),
        ("username", None),
        ("email", "nonsense"),
        ("email", "a" * 10_000 + "@example.com"),
        ("email", "ada@example.com\r\nBcc: eve@example.com"),
        ("password", "short"),
        ("password", "password123"),
        ("password", "18431843"),
        ("password", "ada@example.com"),
        ("password", "x" * 10_000),
        ("organisation", "x"),
        ("organisation", "x" * 10_000),
        ("organisation", "Acme\u202eemca"),
        ("organisation", {"name": "Acme"}),
    ],
)
def test_bad_fields_are_named_and_nothing_is_stored(world: World, field: str, value: Any) -> None:
    users, orgs = User.objects.count(), Org.objects.count()

    response = register(**{field: value})

    assert response.status_code == 400
    assert pointers(response) == {f"/{field}"}
    assert (User.objects.count(), Org.objects.count()) == (users, orgs)


@pytest.mark.parametrize("missing", ["username", "email", "password"])
def test_every_field_but_the_organisation_is_needed(missing: str) -> None:
    response = api().post("/api/v1/auth/register/", {name: value for name, value in GOOD.items() if name != missing})

    assert response.status_code == 400
    assert pointers(response) == {f"/{missing}"}


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'"ada"', "application/json", 400),
        (b"null", "application/json", 400),
        (b'{"username": "ada\\u0000"}', "application/json", 400),
        (b'{"username": "\\ud800"}', "application/json", 400),
        (b'{"username": "\xff"}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"username=ada", "application/x-www-form-urlencoded", 415),
        (b"<a/>", "application/xml", 415),
    ],
)
@pytest.mark.parametrize("path", ["register", "login", "refresh", "logout"])
def test_malformed_bodies_are_refused_in_the_one_shape(path: str, body: bytes, content_type: str, status: int) -> None:
    response = api().post(f"/api/v1/auth/{path}/", body, content_type=content_type)

    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["status"] == status
    assert not User.objects.exists()


def test_a_stale_token_does_not_hinder_signing_in(world: World) -> None:
    client = api()
    client.credentials(HTTP_AUTHORIZATION="Bearer nonsense")

    response = client.post("/api/v1/auth/login/", {"username": "owner", "password": PASSWORD})

    assert response.status_code == 200


def test_signing_in_does_not_mind_the_case_of_the_name() -> None:
    make_user("Grace")

    assert login("gRACE").json()["user"]["username"] == "Grace"


def test_names_that_differ_only_in_case_are_one_name() -> None:
    make_user("ADA")

    assert register().status_code == 400


def test_unknown_name_wrong_password_and_closed_account_get_one_answer(world: World) -> None:
    make_user("closed", is_active=False)

    answers = [login("nobody"), login("owner", "wrong password"), login("closed")]

    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert {answer.json()["detail"] for answer in answers} == {"The username or the password is not right."}
    assert all(answer.headers["WWW-Authenticate"].startswith("Bearer") for answer in answers)


def test_sign_ins_are_recorded_with_who_and_from_where(world: World) -> None:
    login("owner")
    login("owner", "wrong password")

    good, bad = AuditEntry.objects.filter(action__startswith="auth.login").order_by("pk")
    assert (good.action, good.actor, good.actor_name, good.address) == (
        "auth.login",
        world.owner,
        "owner",
        "127.0.0.1",
    )
    assert (bad.action, bad.actor, bad.target) == ("auth.login_failed", None, "owner")


def test_passwords_are_kept_as_argon2_hashes(settings: Any) -> None:
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.Argon2PasswordHasher",
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    ]

    register()

    stored = User.objects.get(username="ada").password
    assert stored.startswith("argon2$argon2id$")
    assert identify_hasher(stored).algorithm == "argon2"
    assert login("ada", GOOD["password"]).status_code == 200


def test_tokens_are_not_to_be_cached(world: World) -> None:
    assert login("owner").headers["Cache-Control"] == "no-store"
