"""Keys with a member's role: what each opens, what it never opens, and how it ends with its maker's standing."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from pytest_django.fixtures import Settings

from jobs.models import Job, Transition
from orgs.good_keys import good_keys, key_of, worth
from orgs.models import ApiKey, AuditEntry, Membership, Org, User
from orgs.roles import KeyRole, Role
from tests.conftest import World
from tests.factories import api, make_job, make_key, with_key
from tests.smartqueue.test_openapi import BY_ID, assert_fits

pytestmark = pytest.mark.django_db

KEYS = "/api/v1/keys/"
JOBS = "/api/v1/jobs/"
ADD: dict[str, Any] = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
ROLES = [role.value for role in Role]


def made(person: User, role: str = "operator", **fields: Any) -> dict[str, Any]:
    response = api(person).post(KEYS, {"name": "ci", "role": role, **fields})
    assert response.status_code == 201, response.content
    return dict(response.json())


def statuses(token: str) -> tuple[int, int, int]:
    """Of reading, submitting, and of what takes an org_admin."""
    client = with_key(token)
    renamed = client.patch("/api/v1/orgs/acme/", {"name": "Acme"})
    return client.get(JOBS).status_code, client.post(JOBS, ADD).status_code, renamed.status_code


# --- Making -----------------------------------------------------------------------------------------------------


def test_a_key_is_shown_once_and_only_its_hash_is_kept(world: World) -> None:
    key = made(world.operator, expires_in_days=30)

    assert key["token"].startswith(f"sq_live_{key['id']}_")
    secret = key["token"].rsplit("_", 1)[1]
    assert secret not in repr(ApiKey.objects.values().get())
    listed = api(world.operator).get(KEYS)
    assert secret not in listed.content.decode()
    assert listed.json()["items"] == [{name: value for name, value in key.items() if name != "token"}]
    assert (key["role"], key["acts_as"], key["created_by"]) == ("operator", "operator", "operator")


@pytest.mark.parametrize(
    ("who", "allowed"),
    [("viewer", {"viewer"}), ("operator", {"viewer", "operator"}), ("owner", {*ROLES, "worker"}), ("loner", set())],
)
def test_nobody_makes_a_key_with_a_right_he_lacks(world: World, who: str, allowed: set[str]) -> None:
    client = api(world.people()[who])

    good = {role for role in KeyRole if client.post(KEYS, {"name": "k", "role": role}).status_code == 201}

    assert good == allowed
    assert set(ApiKey.objects.values_list("role", flat=True)) == allowed
    refused = set(KeyRole) - allowed if allowed else set()
    assert AuditEntry.objects.filter(action="access.denied").count() == len(refused)


@pytest.mark.parametrize(
    "body",
    [{"name": "k"}, {"role": "viewer"}, {"name": "k", "role": "user"}, {"name": "k", "role": "platform_admin"},
     {"name": "k", "role": ["viewer"]}, {"name": "k", "role": "viewer", "org": "rival"},
     {"name": "k", "role": "viewer", "created_by": "outsider"}, {"name": "k", "role": "viewer", "expires_in_days": 0}],
)  # fmt: skip
def test_what_is_not_right_makes_no_key(world: World, body: dict[str, Any]) -> None:
    assert api(world.owner).post(KEYS, body).status_code == 400
    assert not ApiKey.objects.exists()


def test_one_member_has_so_many_good_keys_and_no_more(world: World, settings: Settings) -> None:
    settings.KEYS_MAX = 2
    first = made(world.operator)
    made(world.operator)

    assert api(world.operator).post(KEYS, {"name": "k", "role": "viewer"}).status_code == 409
    assert api(world.owner).post(KEYS, {"name": "k", "role": "viewer"}).status_code == 201
    api(world.operator).delete(f"{KEYS}{first['id']}/")
    assert api(world.operator).post(KEYS, {"name": "k", "role": "viewer"}).status_code == 201


# --- What it opens ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "answers"),
    [("viewer", (200, 403, 403)), ("operator", (200, 201, 403)), ("org_admin", (200, 201, 200))],
)
def test_a_key_may_what_its_role_may(world: World, role: str, answers: tuple[int, ...]) -> None:
    assert statuses(make_key(world.owner, world.org, role)) == answers


def test_a_key_acts_in_its_own_organisation_only(world: World) -> None:
    """Its maker is a member of both, and acts in the other one at the moment."""
    Membership.objects.create(org=world.rival, user=world.owner, role=Role.ORG_ADMIN)
    User.objects.filter(pk=world.owner.pk).update(active_org=world.rival)
    foreign = make_job(world.rival)
    token = make_key(world.owner, world.org, "org_admin")

    assert with_key(token).post(JOBS, ADD).status_code == 201
    assert Job.objects.exclude(pk=foreign.pk).get().org == world.org
    assert with_key(token, world.org).get(JOBS).status_code == 200
    assert with_key(token).get(f"{JOBS}{foreign.pk}/").status_code == 404
    for answer in (
        with_key(token, world.rival).get(JOBS),
        with_key(token, world.rival).post(JOBS, ADD),
        with_key(token).get("/api/v1/orgs/rival/"),
        with_key(token).patch("/api/v1/orgs/rival/", {"name": "Taken"}),
    ):
        assert answer.status_code == 404
    assert Org.objects.get(pk=world.rival.pk).name == "Rival"


PERSONAL = [
    ("get", "/api/v1/auth/me/", None),
    ("patch", "/api/v1/auth/me/", {"email": "x@example.com"}),
    ("post", "/api/v1/auth/password/", {"current_password": "x", "new_password": "y"}),
    ("get", "/api/v1/orgs/", None),
    ("post", "/api/v1/orgs/", {"name": "Fresh"}),
    ("post", "/api/v1/orgs/acme/activation/", None),
    ("delete", "/api/v1/orgs/acme/membership/", None),
    ("patch", "/api/v1/orgs/acme/members/viewer/", {"role": "org_admin"}),
    ("delete", "/api/v1/orgs/acme/members/viewer/", None),
    ("get", "/api/v1/orgs/acme/invitations/", None),
    ("post", "/api/v1/orgs/acme/invitations/", {"username": "loner", "role": "org_admin"}),
    ("get", "/api/v1/invitations/", None),
    ("get", KEYS, None),
    ("post", KEYS, {"name": "more", "role": "viewer"}),
    ("post", "/api/v1/worker-keys/", {"name": "more"}),
    ("get", "/api/v1/platform/users/", None),
    ("patch", "/api/v1/platform/orgs/acme/", {"weight": 100}),
    ("post", "/api/v1/worker/claims/", {"worker": "w", "queues": ["default"]}),
]


@pytest.mark.parametrize("maker", ["owner", "platform_admin"])
@pytest.mark.parametrize(("method", "path", "body"), PERSONAL)
def test_no_key_stands_for_a_person(world: World, maker: str, method: str, path: str, body: Any) -> None:
    """Or who has stolen one could make himself another, or a member. Nor is a platform admin's key one."""
    person = getattr(world, maker)
    token = make_key(person, world.org, "org_admin")
    before = list(Membership.objects.values()), ApiKey.objects.count(), Org.objects.count()

    response = getattr(with_key(token), method)(path, body)

    assert response.status_code == 403
    assert response["Content-Type"] == "application/problem+json"
    assert before == (list(Membership.objects.values()), ApiKey.objects.count(), Org.objects.count())
    denied = AuditEntry.objects.get(action="access.denied")
    assert (denied.actor, denied.key_prefix) == (person, ApiKey.objects.get().prefix)


def test_a_key_opens_no_page(world: World) -> None:
    response = with_key(make_key(world.owner, world.org, "org_admin")).get("/jobs/")

    assert (response.status_code, response["Location"].split("?")[0]) == (302, "/sign-in/")


# --- Who is written down ----------------------------------------------------------------------------------------


def test_the_trail_and_the_history_name_the_key_and_its_maker(world: World) -> None:
    token = make_key(world.operator, world.org, "operator")
    prefix = ApiKey.objects.get().prefix
    client = with_key(token)

    job_id = client.post(JOBS, ADD).json()["id"]
    client.post(f"{JOBS}bulk/", {"jobs": [ADD, ADD]})
    client.post("/api/v1/batches/", {"jobs": [ADD]})
    client.post(f"{JOBS}{job_id}/cancellation/", {})

    acts = AuditEntry.objects.filter(action__startswith="job.").order_by("pk")
    assert [(act.action, act.actor, act.actor_name, act.key_prefix) for act in acts] == [
        (action, world.operator, "operator", prefix) for action in ("job.submit",) * 3 + ("job.cancel",)
    ]
    assert set(Transition.objects.values_list("actor", flat=True)) == {f"key:{prefix}"}
    assert client.get(f"{JOBS}{job_id}/").json()["created_by"] == "operator"


def test_what_a_person_does_himself_names_no_key(world: World) -> None:
    make_key(world.operator, world.org, "operator")
    api(world.operator).post(JOBS, ADD)

    assert AuditEntry.objects.get(action="job.submit").key_prefix == ""


def test_last_use_is_noted(world: World) -> None:
    token = make_key(world.operator, world.org, "viewer")
    assert ApiKey.objects.get().last_used_at is None

    with_key(token).get(JOBS)

    assert ApiKey.objects.get().last_used_at is not None


# --- How it ends ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spoilt",
    ["sq_live_", "sq_live_x", "sq_live_{id}_", "sq_live_{id}_" + "0" * 64, "sq_live_000000000000_{secret}",
     "sq_live_{id}_{secret}0", "sq_live_{id}_{secret}_", "sq_live_{id}", "sq_live_' OR 1=1--_{secret}",
     "sq_live_" + "x" * 100_000, "sq_live_\xff_{secret}", "SQ_LIVE_{id}_{secret}"],
)  # fmt: skip
def test_what_is_no_key_opens_nothing(world: World, spoilt: str) -> None:
    _, _, prefix, secret = make_key(world.owner, world.org, "org_admin").split("_")

    response = with_key(spoilt.replace("{id}", prefix).replace("{secret}", secret)).get(JOBS)

    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_a_revoked_key_is_refused_at_the_next_call(world: World) -> None:
    key = made(world.operator)
    assert statuses(key["token"]) == (200, 201, 403)

    for _ in range(2):
        assert api(world.operator).delete(f"{KEYS}{key['id']}/").status_code == 204

    assert statuses(key["token"]) == (401, 401, 401)
    assert AuditEntry.objects.filter(action="key.revoke", target=key["id"], actor=world.operator).count() == 1
    (shown,) = api(world.operator).get(KEYS).json()["items"]
    assert shown["acts_as"] is None
    assert shown["revoked_at"] is not None


def test_an_expired_key_is_refused(world: World) -> None:
    key = made(world.operator, expires_in_days=1)
    ApiKey.objects.update(expires_at=Now() + timedelta(seconds=60))
    assert statuses(key["token"])[0] == 200

    ApiKey.objects.update(expires_at=Now())

    assert statuses(key["token"]) == (401, 401, 401)


def test_a_key_is_ended_by_its_maker_or_an_org_admin(world: World) -> None:
    key = made(world.operator)
    path = f"{KEYS}{key['id']}/"

    for person in (world.viewer, world.outsider):
        assert api(person).delete(path).status_code == 404
        assert api(person).get(KEYS).json()["items"] == []
    assert statuses(key["token"])[0] == 200
    assert [one["id"] for one in api(world.owner).get(KEYS).json()["items"]] == [key["id"]]

    assert api(world.owner).delete(path).status_code == 204
    assert statuses(key["token"])[0] == 401


def test_a_demoted_makers_key_is_worth_what_he_is_worth(world: World) -> None:
    Membership.objects.create(org=world.org, user=world.loner, role=Role.ORG_ADMIN)
    token, worker = make_key(world.loner, world.org, "org_admin"), make_key(world.loner, world.org)
    assert statuses(token) == (200, 201, 200)

    for role, answers in (("operator", (200, 201, 403)), ("viewer", (200, 403, 403))):
        changed = api(world.owner).patch("/api/v1/orgs/acme/members/loner/", {"role": role})
        assert changed.status_code == 200
        assert statuses(token) == answers
        shown = {one["role"]: one["acts_as"] for one in api(world.owner).get(KEYS).json()["items"]}
        assert shown == {"org_admin": role, "worker": None}
        claim = with_key(worker).post("/api/v1/worker/claims/", {"worker": "w", "queues": ["default"]})
        assert claim.status_code == 401


@pytest.mark.parametrize("role", [*ROLES, "worker"])
def test_the_keys_of_a_member_end_with_his_membership_for_good(world: World, role: str) -> None:
    Membership.objects.create(org=world.org, user=world.loner, role=Role.ORG_ADMIN)
    token = make_key(world.loner, world.org, role)

    assert api(world.owner).delete("/api/v1/orgs/acme/members/loner/").status_code == 204

    assert statuses(token) == (401, 401, 401)
    Membership.objects.create(org=world.org, user=world.loner, role=Role.ORG_ADMIN)
    assert statuses(token) == (401, 401, 401)
    revoked = AuditEntry.objects.get(action="key.revoke")
    assert (revoked.actor, revoked.target) == (world.owner, ApiKey.objects.get().prefix)


def test_who_leaves_takes_his_keys_along_and_nobody_elses(world: World) -> None:
    token, other = make_key(world.operator, world.org, "operator"), make_key(world.owner, world.org, "operator")

    assert api(world.operator).delete("/api/v1/orgs/acme/membership/").status_code == 204

    assert statuses(token)[0] == 401
    assert statuses(other)[0] == 200


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_superuser": False}])
def test_a_key_opens_nothing_while_its_maker_may_nothing(world: World, change: dict[str, Any]) -> None:
    maker = world.platform_admin
    token, worker = make_key(maker, world.org, "operator"), make_key(maker, world.org)
    assert statuses(token)[0] == 200

    User.objects.filter(pk=maker.pk).update(**change)

    assert statuses(token) == (401, 401, 401)
    claim = with_key(worker).post("/api/v1/worker/claims/", {"worker": "w", "queues": ["default"]})
    assert claim.status_code == 401


def test_a_key_without_a_maker_opens_nothing(world: World) -> None:
    token = make_key(world.operator, world.org, "operator")

    ApiKey.objects.update(created_by=None)

    assert statuses(token)[0] == 401


def test_answers_are_as_documented(world: World) -> None:
    client = api(world.owner)
    for operation_id, response in (
        ("create_key", client.post(KEYS, {"name": "a", "role": "viewer"})),
        ("list_keys", client.get(KEYS)),
    ):
        documented = BY_ID[operation_id].says["responses"][str(response.status_code)]
        assert_fits(response.json(), documented["content"]["application/json"]["schema"])


def test_a_key_is_as_queries_make_it(world: World) -> None:
    world.org.shell_programs = ["/bin/echo"]
    world.org.save()
    token = make_key(world.owner, world.org, Role.VIEWER)

    found = key_of(token)

    assert found is not None
    expected = good_keys().select_related("org", "created_by").get(pk=found.pk)
    for one, other in ((found, expected), (found.org, expected.org), (found.created_by, expected.created_by)):
        assert type(one) is type(other)
        fields = [field.attname for field in one._meta.concrete_fields if field.attname != "last_used_at"]
        assert [getattr(one, name) for name in fields] == [getattr(other, name) for name in fields]
    assert worth(found) == worth(expected) == Role.VIEWER
    # the first use is noted, and another within the minute is not
    assert expected.last_used_at is not None
    again = key_of(token)
    assert again is not None
    assert again.last_used_at == expected.last_used_at
    assert key_of(token[:-1] + "!") is None
