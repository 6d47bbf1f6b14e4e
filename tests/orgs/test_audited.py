"""Whatever people do to organisations and accounts is in the audit trail, over the API as on pages."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from orgs.keys import create_key
from orgs.models import AuditEntry, Invitation, Org
from orgs.roles import Action, Role
from orgs.scope import find_scope
from tests.conftest import World
from tests.factories import PASSWORD, api, browser
from tests.orgs.test_matrix import API, INVITATION, PAGES, PEOPLE, invitation

__all__ = ["invitation"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_world")]

# A colour of pages is kept in a cookie, and nowhere else.
NOTHING_CHANGES = {"/theme/", "/language/"}
# The last org_admin is told that he cannot.
LEAVING = "/organisations/leave/"
# What undoes something finds it done.
FOUND: dict[str, dict[str, Any]] = {
    "/api/v1/platform/orgs/acme/resume/": {"suspended_at": Now()},
    "/api/v1/orgs/acme/restore/": {"erase_at": Now() + timedelta(days=1)},
    "/organisations/restoration/": {"erase_at": Now() + timedelta(days=1)},
}


def successes(table: dict[str, Any]) -> list[Any]:
    """One who may, for each call that changes something."""
    return [
        pytest.param(method, path, body, who, id=f"{method} {path}")
        for calls in table.values()
        for method, path, body, statuses in calls
        if method != "get" and path not in NOTHING_CHANGES and not path.startswith("/api/v1/auth/")
        for who in [next(who for who, status in zip(PEOPLE, statuses, strict=True) if status < 400)]
    ]


def changes(table: dict[str, Any]) -> list[Any]:
    return [one for one in successes(table) if one.values[2] != {"name": ""}]


@pytest.mark.parametrize(("method", "path", "body", "who"), [*changes(API), *changes(PAGES)])
def test_every_change_is_in_the_trail(
    world: World, invitation: Invitation, method: str, path: str, body: Any, who: str
) -> None:
    who = "operator" if path == LEAVING else who
    client = (api if path.startswith("/api/") else browser)(getattr(world, who))
    Org.objects.filter(pk=world.org.pk).update(**{"name": "Acme", **FOUND.get(path, {})})
    before = set(AuditEntry.objects.values_list("pk", flat=True))

    sent = getattr(client, method)(path.replace(INVITATION, str(invitation.pk)), body, REMOTE_ADDR="203.0.113.9")

    assert sent.status_code < 400
    entry = AuditEntry.objects.exclude(pk__in=before).earliest("pk")
    assert entry.actor == getattr(world, who)
    assert entry.address == "203.0.113.9"
    assert entry.action != "access.denied"


def only(action: str) -> AuditEntry:
    return AuditEntry.objects.get(action=action)


@pytest.mark.parametrize(("name", "kept"), [("owner", "owner"), ("nobody", "nobody"), ("a\x00b", "a\ufffdb")])
def test_a_failed_sign_in_is_in_the_trail_with_the_name_and_never_the_password(
    world: World, name: str, kept: str
) -> None:
    before = {entry.pk for entry in AuditEntry.objects.all()}
    browser().post("/sign-in/", {"username": name, "password": "not-the-password"}, REMOTE_ADDR="203.0.113.9")
    if "\x00" not in name:
        (entry,) = AuditEntry.objects.exclude(pk__in=before)
        assert (entry.action, entry.target, entry.address) == ("auth.login_failed", kept, "203.0.113.9")
    assert "not-the-password" not in str(list(AuditEntry.objects.values()))


def test_a_failed_login_over_the_api_is_in_the_trail(world: World) -> None:
    api().post("/api/v1/auth/login/", {"username": "Owner", "password": "not-the-password"})

    assert only("auth.login_failed").target == "Owner"
    assert "not-the-password" not in str(list(AuditEntry.objects.values()))


def test_sign_in_out_and_passwords_are_in_the_trail_without_them(world: World) -> None:
    client, before = api(), {entry.pk for entry in AuditEntry.objects.all()}
    tokens = client.post("/api/v1/auth/login/", {"username": "owner", "password": PASSWORD}).json()
    client.post("/api/v1/auth/logout/", {"refresh": tokens["refresh"]})
    api(world.owner).post("/api/v1/auth/password/", {"current_password": PASSWORD, "new_password": "note G, 1843"})

    actions = AuditEntry.objects.exclude(pk__in=before).values_list("action", flat=True)
    assert set(actions) == {"auth.login", "auth.logout", "auth.password"}
    told = str(list(AuditEntry.objects.values()))
    assert PASSWORD not in told
    assert "note G, 1843" not in told
    assert tokens["refresh"] not in told


def test_what_is_denied_to_a_workers_key_is_in_the_trail_with_the_key(world: World) -> None:
    key, token = create_key("w", scope=find_scope(world.owner, "acme"))

    answer = api().get("/api/v1/jobs/", headers={"Authorization": f"Bearer {token}"}, REMOTE_ADDR="203.0.113.9")

    assert answer.status_code == 403
    entry = only("access.denied")
    assert (entry.key_prefix, entry.actor, entry.org_id) == (key.prefix, None, world.org.pk)
    assert (entry.target, entry.address) == ("/api/v1/jobs/", "203.0.113.9")
    assert token not in str(list(AuditEntry.objects.values()))


def test_the_platform_admins_changes_are_in_the_trail_with_what_was_before(world: World) -> None:
    membership = world.operator.memberships.get()
    client = browser(world.platform_admin)
    form = {"org": world.org.pk, "user": world.operator.pk, "role": Role.VIEWER}

    client.post(f"/admin/orgs/membership/{membership.pk}/change/", form)

    entry = only("admin.change")
    assert entry.detail == {"old": {"role": "operator"}, "new": {"role": "viewer"}}


def test_every_action_about_organisations_is_walked() -> None:
    """With tests/jobs/api/test_audited.py, all that change something."""
    walked = {path for _, path, _, _ in (one.values for one in changes(API))}
    assert any("members/" in str(path) for path in walked), Action.MANAGE_MEMBERS
    assert any("worker-keys/" in str(path) for path in walked), Action.MANAGE_KEYS
