"""Keys as pages show them: once, and again never; and rotated with an overlap, on pages as over REST."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db.models.functions import Now
from django.utils import timezone

from orgs.models import ApiKey, AuditEntry, Membership
from orgs.roles import Role
from tests.conftest import World
from tests.factories import PASSWORD, api, browser, with_key

pytestmark = pytest.mark.django_db

KEYS = "/api/v1/keys/"
TOKEN = re.compile(r"sq_live_[0-9a-f]{12}_[0-9a-f]{64}")


def shown_in(page: Any) -> set[str]:
    return set(TOKEN.findall(page.content.decode()))


def made(person: Any, role: str = "operator", **fields: Any) -> dict[str, Any]:
    return dict(api(person).post(KEYS, {"name": "ci", "role": role, **fields}).json())


def good(token: str) -> bool:
    return with_key(token).get("/api/v1/jobs/").status_code == 200


def test_a_new_key_is_on_the_next_page_and_a_reload_has_it_no_more(world: World) -> None:
    client = browser(world.operator)

    sent = client.post("/api-keys/", {"name": "shop", "role": "operator", "expires_in_days": "30"})
    first, again = client.get("/api-keys/"), client.get("/api-keys/")

    assert (sent.status_code, sent["Location"]) == (302, "/api-keys/")
    (token,) = shown_in(first)
    assert shown_in(again) == set()
    assert first["Cache-Control"] == again["Cache-Control"] == "no-store"
    assert good(token)
    assert f"Bearer {token}" in first.content.decode()
    key = ApiKey.objects.get()
    assert key.expires_at is not None
    assert timedelta(days=29) < key.expires_at - timezone.now() <= timedelta(days=30)


def test_neither_the_table_of_sessions_nor_another_window_has_it(world: World) -> None:
    client, other = browser(world.operator), browser(world.operator)
    client.post("/api-keys/", {"name": "shop", "role": "viewer"})
    kept = [session.get_decoded() for session in Session.objects.all()]
    assert any("shown_once" in one for one in kept)

    assert not TOKEN.search(str(kept))
    assert shown_in(other.get("/api-keys/")) == set()
    (token,) = shown_in(client.get("/api-keys/"))
    assert token not in str([session.get_decoded() for session in Session.objects.all()])


def test_nobody_makes_one_on_the_page_that_may_more_than_he(world: World) -> None:
    answer = browser(world.viewer).post("/api-keys/", {"name": "k", "role": "org_admin"})

    assert answer.status_code == 422
    assert not ApiKey.objects.exists()


def test_a_member_sees_his_own_and_an_org_admin_all(world: World) -> None:
    made(world.viewer, "viewer")
    made(world.operator)

    seen = {name: browser(person).get("/api-keys/").content.decode() for name, person in world.people().items()}

    keys = {key.created_by.get_username(): key.prefix for key in ApiKey.objects.all() if key.created_by}
    assert {name for name, page in seen.items() if keys["viewer"] in page} == {"viewer", "owner"}
    assert {name for name, page in seen.items() if keys["operator"] in page} == {"operator", "owner"}


def test_the_state_is_said_in_words(world: World) -> None:
    for name in ("active", "expired", "revoked"):
        made(world.operator, name=name)
    ApiKey.objects.filter(name="expired").update(expires_at=Now())
    ApiKey.objects.filter(name="revoked").update(revoked_at=Now())
    assert [row["state"] for row in browser(world.owner).get("/api-keys/").context["keys"]] == [
        "revoked",
        "expired",
        "active",
    ]
    Membership.objects.filter(user=world.operator).delete()
    assert browser(world.owner).get("/api-keys/").context["keys"][2]["state"] == "orphaned"


# --- Rotating --------------------------------------------------------------------------------------------------------


def test_both_are_good_for_the_overlap(world: World) -> None:
    old = made(world.operator, expires_in_days=30)

    answer = api(world.operator).post(f"{KEYS}{old['id']}/rotation/", {"overlap_hours": 2})

    new = answer.json()
    assert (answer.status_code, answer["Cache-Control"]) == (201, "no-store")
    assert (new["name"], new["role"], new["created_by"]) == ("ci", "operator", "operator")
    assert good(old["token"])
    assert good(new["token"])
    keys = {key.prefix: key.expires_at - timezone.now() for key in ApiKey.objects.all() if key.expires_at}
    assert timedelta(hours=1) < keys[old["id"]] <= timedelta(hours=2)
    # as long as the old one was made for, not as long as it had left
    assert timedelta(days=29) < keys[new["id"]] <= timedelta(days=30)
    ApiKey.objects.filter(prefix=old["id"]).update(expires_at=Now())
    assert (good(old["token"]), good(new["token"])) == (False, True)


def test_without_overlap_the_old_one_ends_at_once(world: World) -> None:
    old = made(world.operator)

    new = api(world.operator).post(f"{KEYS}{old['id']}/rotation/", {"overlap_hours": 0}).json()

    assert (good(old["token"]), good(new["token"])) == (False, True)
    assert new["expires_at"] is None


def test_an_overlap_never_lengthens_the_life_of_the_old_one(world: World) -> None:
    old = made(world.operator, expires_in_days=1)
    before = ApiKey.objects.get().expires_at

    api(world.operator).post(f"{KEYS}{old['id']}/rotation/", {"overlap_hours": 720})

    assert ApiKey.objects.get(prefix=old["id"]).expires_at == before


@pytest.mark.parametrize("ended", ["expires_at", "revoked_at"])
def test_one_that_has_ended_is_not_rotated(world: World, ended: str) -> None:
    old = made(world.operator)
    ApiKey.objects.update(**{ended: Now()})

    answer = api(world.operator).post(f"{KEYS}{old['id']}/rotation/", {})

    assert (answer.status_code, ApiKey.objects.count()) == (409, 1)


def test_who_may_no_longer_make_it_does_not_rotate_it(world: World) -> None:
    old = made(world.owner, "org_admin")
    Membership.objects.filter(user=world.owner).update(role=Role.VIEWER)

    assert api(world.owner).post(f"{KEYS}{old['id']}/rotation/", {}).status_code == 403
    assert ApiKey.objects.count() == 1


def test_a_key_rotates_none(world: World) -> None:
    old = made(world.owner, "org_admin")

    assert with_key(old["token"]).post(f"{KEYS}{old['id']}/rotation/", {}).status_code == 403


def test_the_trail_names_both_and_holds_no_token(world: World) -> None:
    old = made(world.operator)
    new = api(world.operator).post(f"{KEYS}{old['id']}/rotation/", {}).json()

    entry = AuditEntry.objects.get(action="key.rotate")

    assert (entry.target, entry.detail["old"]["key"], entry.detail["new"]["key"]) == (old["id"], old["id"], new["id"])
    assert new["token"] not in str(list(AuditEntry.objects.values()))


def test_the_page_rotates_too(world: World) -> None:
    old = made(world.operator)
    client = browser(world.operator)

    client.post(f"/api-keys/{old['id']}/rotation/", {"overlap_hours": "1"})

    (token,) = shown_in(client.get("/api-keys/"))
    assert good(token)
    assert good(old["token"])


# --- Where a person is signed in -------------------------------------------------------------------------------------


def login(world: World) -> Any:
    client = api()
    tokens = client.post("/api/v1/auth/login/", {"username": "owner", "password": PASSWORD}).json()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens['access']}")
    return client


def test_signing_out_everywhere_ends_sessions_and_tokens_but_not_this_one(world: World) -> None:
    program, here, elsewhere = login(world), browser(world.owner), browser(world.owner)

    assert here.post("/profile/sign-outs/").status_code == 302

    assert here.get("/profile/").status_code == 200
    assert elsewhere.get("/profile/").status_code == 302
    assert program.get("/api/v1/auth/me/").status_code == 401
    assert browser(world.operator).get("/profile/").status_code == 200


def test_one_sign_in_is_ended_by_itself(world: World) -> None:
    one, other = login(world), login(world)
    listed = one.get("/api/v1/auth/sign-ins/").json()["sign_ins"]
    assert len(listed) == 2

    assert browser(world.operator).post(f"/profile/sign-ins/{listed[0]['id']}/end/").status_code == 404
    assert one.delete(f"/api/v1/auth/sign-ins/{listed[0]['id']}/").status_code == 204

    # the latest is listed first
    assert (one.get("/api/v1/auth/me/").status_code, other.get("/api/v1/auth/me/").status_code) == (200, 401)
    assert browser(world.owner).post(f"/profile/sign-ins/{listed[1]['id']}/end/").status_code == 302
    assert one.get("/api/v1/auth/me/").status_code == 401
