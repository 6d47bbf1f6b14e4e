"""Who may do what: every endpoint and page of organisations and accounts, for every kind of person."""

from typing import Any

import pytest
from django.urls import URLPattern

from orgs import api_urls, auth_urls, urls
from orgs.membership import invite
from orgs.models import ApiKey, AuditEntry, Invitation, Membership, Org, SignIn, User
from orgs.roles import Role
from orgs.scope import find_scope
from tests.conftest import World
from tests.factories import PASSWORD, api, browser

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_world")]

PEOPLE = ("owner", "operator", "viewer", "outsider", "loner", "platform_admin", None)
ANYONE_SIGNED_IN = 200, 200, 200, 200, 200, 200, 401
ORG = "/api/v1/orgs/acme/"
INVITATION = "{invitation}"
KEY = "0123456789ab"
SIGN_IN = "018f0000-0000-7000-8000-000000000001"

# Path name -> method, path, body, and the status for each of PEOPLE.
API: dict[str, list[tuple[str, str, Any, tuple[int, ...]]]] = {
    "auth-register": [("post", "/api/v1/auth/register/", {}, (400,) * 7)],
    "auth-login": [("post", "/api/v1/auth/login/", {"username": "owner", "password": PASSWORD}, (200,) * 7)],
    "auth-refresh": [("post", "/api/v1/auth/refresh/", {"refresh": "x"}, (401,) * 7)],
    "auth-logout": [("post", "/api/v1/auth/logout/", {"refresh": "x"}, (401,) * 7)],
    "auth-me": [
        ("get", "/api/v1/auth/me/", None, ANYONE_SIGNED_IN),
        ("patch", "/api/v1/auth/me/", {"email": "new@example.com"}, ANYONE_SIGNED_IN),
        # The owner and the outsider are last org_admins, and there is one platform admin.
        ("delete", "/api/v1/auth/me/", {"current_password": PASSWORD}, (409, 204, 204, 409, 204, 409, 401)),
    ],
    "auth-password": [("post", "/api/v1/auth/password/", {}, (400, 400, 400, 400, 400, 400, 401))],
    "auth-sign-ins": [
        ("get", "/api/v1/auth/sign-ins/", None, ANYONE_SIGNED_IN),
        ("delete", "/api/v1/auth/sign-ins/", None, (204, 204, 204, 204, 204, 204, 401)),
    ],
    # It is the owner's.
    "auth-sign-in": [
        ("delete", f"/api/v1/auth/sign-ins/{SIGN_IN}/", None, (204, 404, 404, 404, 404, 404, 401)),
    ],
    "orgs": [
        ("get", "/api/v1/orgs/", None, ANYONE_SIGNED_IN),
        ("post", "/api/v1/orgs/", {"name": "Fresh"}, (201, 201, 201, 201, 201, 201, 401)),
    ],
    "org": [
        ("get", ORG, None, (200, 200, 200, 404, 404, 200, 401)),
        ("patch", ORG, {"name": "Renamed"}, (200, 403, 403, 404, 404, 200, 401)),
        ("delete", ORG, {"confirm": "acme"}, (202, 403, 403, 404, 404, 202, 401)),
    ],
    "org-restore": [("post", f"{ORG}restore/", None, (200, 403, 403, 404, 404, 200, 401))],
    "org-activation": [("post", f"{ORG}activation/", None, (200, 200, 200, 404, 404, 200, 401))],
    "org-members": [("get", f"{ORG}members/", None, (200, 200, 200, 404, 404, 200, 401))],
    "org-member": [
        ("patch", f"{ORG}members/viewer/", {"role": "operator"}, (200, 403, 403, 404, 404, 200, 401)),
        ("delete", f"{ORG}members/viewer/", None, (204, 403, 403, 404, 404, 204, 401)),
    ],
    # The owner is the last org_admin; a platform admin is no member.
    "org-membership": [("delete", f"{ORG}membership/", None, (409, 204, 204, 404, 404, 404, 401))],
    "org-invitations": [
        ("get", f"{ORG}invitations/", None, (200, 403, 403, 404, 404, 200, 401)),
        (
            "post",
            f"{ORG}invitations/",
            {"email": "x@example.com", "role": "viewer"},
            (201, 403, 403, 404, 404, 201, 401),
        ),
    ],
    "org-invitation": [
        ("delete", f"{ORG}invitations/{INVITATION}/", None, (204, 403, 403, 404, 404, 204, 401)),
    ],
    "my-invitations": [("get", "/api/v1/invitations/", None, ANYONE_SIGNED_IN)],
    # It is the loner's.
    "invitation-acceptance": [
        ("post", f"/api/v1/invitations/{INVITATION}/acceptance/", {}, (404, 404, 404, 404, 201, 404, 401))
    ],
    "invitation-refusal": [
        ("post", f"/api/v1/invitations/{INVITATION}/refusal/", {}, (404, 404, 404, 404, 204, 404, 401))
    ],
    # People of another organisation make keys of their own; the one of KEY is a worker's, and the owner's.
    "keys": [
        ("get", "/api/v1/keys/", None, (200, 200, 200, 200, 403, 200, 401)),
        ("post", "/api/v1/keys/", {"name": "k", "role": "viewer"}, (201, 201, 201, 201, 403, 201, 401)),
    ],
    "key": [("delete", f"/api/v1/keys/{KEY}/", None, (204, 404, 404, 404, 403, 204, 401))],
    "key-rotation": [
        ("post", f"/api/v1/keys/{KEY}/rotation/", {"overlap_hours": 1}, (201, 404, 404, 404, 403, 201, 401)),
    ],
    "worker-keys": [
        ("get", "/api/v1/worker-keys/", None, (200, 403, 403, 200, 403, 200, 401)),
        ("post", "/api/v1/worker-keys/", {"name": "k"}, (201, 403, 403, 201, 403, 201, 401)),
    ],
    "worker-key": [("delete", f"/api/v1/worker-keys/{KEY}/", None, (204, 403, 403, 404, 403, 204, 401))],
    "platform-users": [("get", "/api/v1/platform/users/", None, (403, 403, 403, 403, 403, 200, 401))],
    "platform-user": [("delete", "/api/v1/platform/users/viewer/", {}, (403, 403, 403, 403, 403, 204, 401))],
    "platform-user-suspend": [
        ("post", "/api/v1/platform/users/viewer/suspend/", {"reason": "x"}, (403, 403, 403, 403, 403, 200, 401))
    ],
    "platform-user-resume": [
        ("post", "/api/v1/platform/users/suspended/resume/", {"reason": "x"}, (403, 403, 403, 403, 403, 200, 401))
    ],
    "platform-orgs": [("get", "/api/v1/platform/orgs/", None, (403, 403, 403, 403, 403, 200, 401))],
    "platform-org": [("patch", "/api/v1/platform/orgs/acme/", {"weight": 2}, (403, 403, 403, 403, 403, 200, 401))],
    "platform-org-suspend": [
        ("post", "/api/v1/platform/orgs/acme/suspend/", {"reason": "unpaid"}, (403, 403, 403, 403, 403, 200, 401))
    ],
    "platform-org-resume": [("post", "/api/v1/platform/orgs/acme/resume/", None, (403, 403, 403, 403, 403, 200, 401))],
}

# 302 is a redirect; for the anonymous (the last) it leads to sign-in. People of another organisation act in their own
# on pages, and those of none are led to the page where they can found or join one.
PAGES: dict[str, list[tuple[str, str, Any, tuple[int, ...]]]] = {
    "sign-in": [("get", "/sign-in/", None, (302, 302, 302, 302, 302, 302, 200))],
    "sign-up": [("get", "/sign-up/", None, (302, 302, 302, 302, 302, 302, 200))],
    "sign-out": [("post", "/sign-out/", {}, (302,) * 7)],
    "language": [("post", "/language/", {"language": "de"}, (302,) * 7)],
    "theme": [("post", "/theme/", {"theme": "dark"}, (302,) * 7)],
    "profile": [("get", "/profile/", None, (200, 200, 200, 200, 200, 200, 302))],
    "profile-sign-out-everywhere": [("post", "/profile/sign-outs/", {}, (302,) * 7)],
    "profile-sign-in-end": [
        ("post", f"/profile/sign-ins/{SIGN_IN}/end/", {}, (302, 404, 404, 404, 404, 404, 302)),
    ],
    "api-keys": [
        ("get", "/api-keys/", None, (200, 200, 200, 200, 302, 200, 302)),
        ("post", "/api-keys/", {"name": "k", "role": "viewer"}, (302,) * 7),
    ],
    "api-key-rotate": [
        ("post", f"/api-keys/{KEY}/rotation/", {"overlap_hours": "1"}, (302, 404, 404, 404, 302, 302, 302)),
    ],
    "api-key-revoke": [("post", f"/api-keys/{KEY}/revocation/", {}, (302, 404, 404, 404, 302, 302, 302))],
    "profile-remove": [
        ("post", "/profile/removal/", {"removal-current_password": PASSWORD}, (409, 302, 302, 409, 302, 409, 302)),
    ],
    "organisations": [
        ("get", "/organisations/", None, (200, 200, 200, 200, 200, 200, 302)),
        ("post", "/organisations/", {"name": ""}, (422, 422, 422, 422, 422, 422, 302)),
    ],
    "organisation-switch": [
        ("post", "/organisations/switch/", {"org": "acme"}, (302, 302, 302, 404, 404, 302, 302)),
    ],
    "organisation-leave": [
        ("post", "/organisations/leave/", {"org": "acme"}, (302, 302, 302, 404, 404, 404, 302)),
    ],
    "organisation-rename": [
        ("post", "/organisations/rename/", {"name": "New name"}, (302, 403, 403, 302, 302, 302, 302)),
    ],
    "organisation-close": [
        ("post", "/organisations/closing/", {"confirm": "acme"}, (302, 403, 403, 302, 302, 302, 302)),
    ],
    "organisation-restore": [("post", "/organisations/restoration/", {}, (302, 403, 403, 302, 302, 302, 302))],
    "members": [
        ("get", "/members/", None, (200, 200, 200, 200, 302, 200, 302)),
        ("post", "/members/", {"who": "loner", "role": "viewer"}, (409, 403, 403, 302, 302, 409, 302)),
    ],
    "member-role": [
        ("post", "/members/viewer/role/", {"role": "operator"}, (302, 403, 403, 404, 302, 302, 302)),
    ],
    "member-remove": [("post", "/members/viewer/removal/", {}, (302, 403, 403, 404, 302, 302, 302))],
    "invitation-withdraw": [
        ("post", f"/members/invitations/{INVITATION}/withdrawal/", {}, (302, 403, 403, 404, 302, 302, 302)),
    ],
    # Without its token nobody sees the page of one; the loner answers on the organisations page.
    "invitation": [("get", f"/invitations/{INVITATION}/", None, (404,) * 7)],
    "invitation-accept": [
        ("post", f"/invitations/{INVITATION}/acceptance/", {}, (404, 404, 404, 404, 302, 404, 302)),
    ],
    "invitation-decline": [
        ("post", f"/invitations/{INVITATION}/refusal/", {}, (404, 404, 404, 404, 302, 404, 302)),
    ],
}


def cells(table: dict[str, list[tuple[str, str, Any, tuple[int, ...]]]]) -> list[Any]:
    return [
        pytest.param(method, path, body, who, status, id=f"{name}-{method}-{who}")
        for name, calls in table.items()
        for method, path, body, statuses in calls
        for who, status in zip(PEOPLE, statuses, strict=True)
    ]


@pytest.fixture(scope="module")
def invitation(one_world: World) -> Invitation:
    """The loner is invited to acme, which has a key; somebody is suspended."""
    User.objects.create(username="suspended", is_active=False)
    ApiKey.objects.create(org=one_world.org, name="k", prefix=KEY, secret_sha256="x", role="worker")
    SignIn.objects.create(id=SIGN_IN, user=one_world.owner, expires_at="2099-01-01T00:00:00Z")
    scope = find_scope(one_world.owner, "acme")
    return invite(scope=scope, role=Role.OPERATOR, person=one_world.loner)[0]


def rows() -> list[Any]:
    """Everything a forbidden call must not touch; the audit trail may grow, and sign-ins count."""
    return [
        list(Org.objects.order_by("pk").values()),
        list(User.objects.order_by("pk").values("username", "email", "password", "active_org", "is_superuser")),
        list(Membership.objects.order_by("pk").values()),
        list(Invitation.objects.order_by("pk").values()),
        list(ApiKey.objects.order_by("pk").values()),
    ]


@pytest.mark.parametrize(("method", "path", "body", "who", "status"), cells(API))
def test_endpoint(
    world: World, invitation: Invitation, method: str, path: str, body: Any, who: str | None, status: int
) -> None:
    client = api(getattr(world, who) if who else None)
    before = rows()

    response = getattr(client, method)(path.replace(INVITATION, str(invitation.pk)), body)

    assert response.status_code == status
    if status >= 400:
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.json()["status"] == status
        assert rows() == before
    # Who is in no organisation has no right that could be denied him.
    if status == 403 and not (who == "loner" and "keys/" in path):
        assert AuditEntry.objects.filter(action="access.denied", actor__username=client_name(who)).exists()


@pytest.mark.parametrize(("method", "path", "body", "who", "status"), cells(PAGES))
def test_page(
    world: World, invitation: Invitation, method: str, path: str, body: Any, who: str | None, status: int
) -> None:
    client = browser(getattr(world, who) if who else None)
    before = rows()

    response = getattr(client, method)(path.replace(INVITATION, str(invitation.pk)), body)

    assert response.status_code == status
    if status >= 400 or who is None:
        assert rows() == before
    if who is None and status == 302 and path not in ("/theme/", "/language/"):
        assert response.headers["Location"].startswith("/sign-in/")


@pytest.mark.parametrize(("name", "calls"), [*API.items(), *PAGES.items()])
def test_other_methods_are_405(world: World, invitation: Invitation, name: str, calls: Any) -> None:
    taken = {method for method, *_ in calls} | ({"post"} if name in {"profile", "sign-in", "sign-up"} else set())
    path = calls[0][1].replace(INVITATION, str(invitation.pk))
    client = api(world.platform_admin) if name in API else browser(world.platform_admin)

    for method in {"get", "post", "put", "patch", "delete"} - taken:
        response = getattr(client, method)(path)
        assert (method, response.status_code) == (method, 405)
        assert response.headers["Allow"]


def client_name(who: str | None) -> str:
    return {"platform_admin": "platform"}.get(who or "", who or "")


def test_every_path_is_in_a_matrix() -> None:
    def names(patterns: list[URLPattern]) -> set[str]:
        return {str(pattern.name) for pattern in patterns}

    assert names(api_urls.urlpatterns) | names(auth_urls.urlpatterns) == API.keys()
    assert names(urls.urlpatterns) == PAGES.keys()
