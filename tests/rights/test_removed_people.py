"""Somebody acts in every way there is and is removed: nothing that anybody can look at says afterwards who it was."""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from jobs.models import Artefact, Batch, Delivery, Job, ModelVersion, Transition
from orgs.audit_seals import Sealer
from orgs.membership import invite
from orgs.models import ApiKey, AuditEntry, Invitation, Membership, Org, User
from orgs.roles import Role
from orgs.scope import find_scope
from tests.conftest import World
from tests.factories import PASSWORD as OF_WORLD
from tests.factories import api, browser, with_key
from tests.jobs.handlers.exports import export
from tests.rights.things import ADD, path_of
from tests.rights.walk import OF_API, OF_PAGES, Route, ask

pytestmark = pytest.mark.django_db(transaction=True)

FORMER, NAME = "mina-of-old", "Wilhelmina"
ADDRESSES = ("first@mina.example", "Second@mina.example", "third@mina.example", "invited@mina.example")
TRACES = re.compile("|".join((FORMER, NAME, "mina.example")), re.IGNORECASE)
PASSWORD = "note G, 1843"
# They end what she acts with, or herself.
ENDS = {"auth-me", "auth-password", "auth-logout", "org-membership", "profile-remove", "sign-out", "organisation-leave",
        "auth-sign-ins", "auth-sign-in", "profile-sign-out-everywhere", "profile-sign-in-end",
        "organisation-close", "DELETE org"}  # fmt: skip
# Where a removal is not asked for in words: pages whose GET changes nothing.
OF_ADMIN = ("orgs/auditentry", "orgs/user", "orgs/invitation", "orgs/membership", "jobs/job", "jobs/modelversion",
            "orgs/apikey", "jobs/schedule", "jobs/queue", "jobs/subscriber")  # fmt: skip


@pytest.fixture(autouse=True)
def folders(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT, settings.WORK_ROOT = str(tmp_path / "kept"), str(tmp_path / "work")
    for name in ("LOGIN_RATE", "ACCOUNT_LOGIN_RATE", "REGISTER_RATE", "INVITATION_RATE", "REFRESH_RATE"):
        setattr(settings, name, None)


@pytest.fixture
def mina(world: World) -> User:
    """Registered, renamed by a platform admin, invited by e-mail, and made org_admin of acme."""
    api().post("/api/v1/auth/register/", {"username": FORMER, "email": ADDRESSES[0], "password": PASSWORD})
    user = User.objects.get(username=FORMER)
    changed = {"username": NAME, "email": ADDRESSES[1], "is_active": "on"}
    assert browser(world.platform_admin).post(f"/admin/orgs/user/{user.pk}/change/", changed).status_code == 302
    user.refresh_from_db()
    made = api(world.owner).post("/api/v1/orgs/acme/invitations/", {"email": ADDRESSES[3], "role": "viewer"}).json()
    accepted = api(user).post(f"/api/v1/invitations/{made['id']}/acceptance/", {"token": made["token"]})
    assert accepted.status_code == 201
    invite(scope=find_scope(world.outsider, "rival"), role=Role.VIEWER, person=user)
    assert api(world.owner).patch(f"/api/v1/orgs/acme/members/{NAME}/", {"role": "org_admin"}).status_code == 200
    return user


def acts(client: Any, routes: list[Route], things: Any) -> int:
    """Every route by every method that changes something, what takes something away last; how many went well."""
    calls = [(method == "DELETE", method, route) for route in routes for method in route.needs if method != "GET"]
    found = 0
    for _, method, route in sorted(calls, key=lambda call: call[0]):
        if not {route.pattern.name, f"{method} {route.pattern.name}"} & ENDS:
            answer = ask(client, method, route, path_of(route.path, str(route.pattern.name), *things))
            found += answer.status_code < 400
    return found


def act(world: World, mina: User, things: Any) -> str:
    """Leaves her name wherever it can stand; the token of a key of hers."""
    client = api(mina, world.org)
    for queue in ("default", "reports"):
        client.post("/api/v1/jobs/", {**ADD, "queue": queue})
    key = client.post("/api/v1/keys/", {"name": "k", "role": "operator"}).json()["token"]
    with_key(key).post("/api/v1/jobs/", ADD)
    assert client.post("/api/v1/model/versions/1/promote/").status_code == 200
    assert acts(client, OF_API, things) > 40
    User.objects.filter(pk=mina.pk).update(active_org=world.org)
    assert acts(browser(mina), OF_PAGES, things) > 12
    client.patch("/api/v1/auth/me/", {"email": ADDRESSES[2]})
    for name in (NAME, NAME.lower(), f" {FORMER}", ADDRESSES[2].upper()):
        api().post("/api/v1/auth/login/", {"username": name, "password": "wrong"})
    assert api(world.operator).patch(f"/api/v1/orgs/acme/members/{NAME}/", {"role": "viewer"}).status_code == 403
    assert browser(world.operator).post(f"/members/{NAME}/role/", {"role": "viewer"}).status_code == 403
    export = api(world.owner).get(f"/api/v1/audit/export/?form=csv&actor={NAME}&target={NAME}")
    b"".join(export)  # type: ignore[call-overload]
    return str(key)


def remove(mina: User) -> None:
    """The last org_admin of organisations that she founded meanwhile; one has been closed by then."""
    client = api(mina)
    refused = client.delete("/api/v1/auth/me/", {"current_password": PASSWORD})
    assert refused.status_code == 409
    alone = {one["slug"] for one in refused.json()["organisations"] if one["first"] == "close"}
    assert alone
    Org.objects.filter(slug__in=alone).update(erase_at="2099-01-01T00:00:00Z")
    assert client.delete("/api/v1/auth/me/", {"current_password": PASSWORD}).status_code == 204


# --- what is looked at -----------------------------------------------------------------------------------------------


def looks(routes: list[Route], things: Any) -> Iterator[str]:
    """The path of each GET, for each thing there is."""
    shared, _ = things
    each: dict[str, list[Any]] = {
        "job_id": list(Job.objects.values_list("pk", flat=True)),
        "task_id": list(Job.objects.values_list("pk", flat=True)),
        "batch_id": list(Batch.objects.values_list("pk", flat=True)),
        "artefact_id": list(Artefact.objects.values_list("pk", flat=True)),
        "delivery_id": list(Delivery.objects.values_list("pk", flat=True)),
        "slug": ["acme"],
    }
    for route in routes:
        if "GET" in route.needs:
            (kind, *_) = [name for name in route.pattern.pattern.converters if name in each] or [""]
            for value in each.get(kind, [shared.get(kind, "")]):
                names = {**shared, kind: str(value)}
                yield path_of(route.path, str(route.pattern.name), names, {})


def text_of(response: HttpResponse) -> str:
    content = b"".join(response) if response.streaming else response.content
    if response["Content-Type"] == "application/zip":
        with zipfile.ZipFile(io.BytesIO(content)) as whole:
            content = b"".join(whole.read(name) for name in whole.namelist())
    return bytes(content).decode(errors="replace") + str(response.headers)


def assert_nowhere(client: Any, paths: Iterator[str]) -> int:
    looked = 0
    for path in paths:
        answer = client.get(path)
        assert answer.status_code < 500 or path == "/readyz", path
        text = text_of(answer)
        found = TRACES.search(text)
        assert found is None, f"{path}: …{text[max(found.start() - 150, 0) : found.end() + 50]}…"
        looked += answer.status_code == 200
    return looked


def admin_pages(site: Client) -> Iterator[str]:
    yield "/admin/"
    for section in OF_ADMIN:
        listed = f"/admin/{section}/?all="
        yield listed
        yield from sorted(set(re.findall(rf"/admin/{section}/[^/\"]+/change/", site.get(listed).content.decode())))
    for user in User.objects.all():
        yield f"/admin/orgs/user/{user.pk}/history/"


def more(path: str) -> Iterator[str]:
    for query in ("", f"?actor={NAME}", f"?target={FORMER}"):
        yield path + query


def exported(world: World) -> str:
    columns = {
        "audit": ["actor", "target", "detail"],
        "transitions": ["id", "actor", "reason"],
        "jobs": ["id", "created_by"],
        "schedules": ["name", "created_by"],
    }
    return "".join(
        export(world.org, world.owner, dataset=dataset, columns=names, format="json").data.decode()
        for dataset, names in columns.items()
    )


def test_nothing_tells_who_it_was(world: World, mina: User, acme: Any) -> None:
    key = act(world, mina, acme)
    mina_api, mina_pages = api(mina), browser(mina)
    stored = list(AuditEntry.objects.order_by("pk").values())
    raw = json.dumps(stored, default=str)
    assert {word.lower() for word in TRACES.findall(raw)} >= {FORMER, NAME.lower(), "mina.example"}
    Sealer()(1)
    # it has to be there to be hidden
    assert Transition.objects.filter(actor=f"user:{NAME}").count() > 5
    assert ModelVersion.objects.filter(promoted_by=f"user:{NAME}").exists()
    with pytest.raises(AssertionError, match="/api/v1/"):
        assert_nowhere(api(world.owner, world.org), looks(OF_API, acme))

    remove(mina)

    assert mina_api.get("/api/v1/auth/me/").status_code == 401
    assert with_key(key).get("/api/v1/jobs/").status_code == 401
    assert mina_pages.get("/profile/").headers["Location"].startswith("/sign-in/")
    for client in (api(world.owner, world.org), api(world.platform_admin, world.org)):
        assert assert_nowhere(client, looks(OF_API, acme)) > 60
        for path in ("/api/v1/audit/", "/api/v1/platform/users/"):
            assert_nowhere(client, iter([f"{path}?limit=200"]))
        for path in ("/api/v1/audit/export/?form=csv", "/api/v1/audit/export/?form=jsonl"):
            assert_nowhere(client, iter([path]))
    for person in (world.owner, world.platform_admin):
        User.objects.filter(pk=person.pk).update(active_org=world.org)
        person.refresh_from_db()
        site = browser(person)
        assert assert_nowhere(site, looks(OF_PAGES, acme)) > 30
        assert_nowhere(site, iter(["/audit/?limit=200", "/audit/export/?form=csv"]))
    site = browser(world.platform_admin)
    assert assert_nowhere(site, admin_pages(site)) > 100
    assert TRACES.search(exported(world)) is None

    # and the trail is what it was
    Sealer()(1)
    out = StringIO()
    call_command("verify_audit", "--json", stdout=out)
    assert json.loads(out.getvalue())["ok"]
    assert list(AuditEntry.objects.order_by("pk").values()[: len(stored)]) == stored


def test_who_it_was_is_found_by_what_stands_for_him(world: World, mina: User, acme: Any) -> None:
    client = api(mina, world.org)
    assert client.post("/api/v1/jobs/", ADD).status_code == 201
    job = Job.objects.latest("pk")
    assert client.delete("/api/v1/auth/me/", {"current_password": PASSWORD}).status_code == 204
    owner = api(world.owner, world.org)

    def audited(**filters: str) -> list[dict[str, Any]]:
        return list(owner.get("/api/v1/audit/", filters).json()["items"])

    standing = f"removed user {mina.pk}"
    assert audited(actor=NAME) == audited(target=NAME) == audited(target=f"/api/v1/orgs/acme/members/{NAME}/") == []
    assert {one["actor"] for one in audited(actor=standing)} == {standing}
    assert [one["action"] for one in audited(actor=standing)] == [
        one["action"] for one in audited(actor=f"removed-{mina.pk}")
    ]
    submits = [one for one in audited(actor=standing) if one["action"] == "job.submit"]
    assert [one["target"] for one in submits] == [str(job.pk)]
    (moved,) = owner.get(f"/api/v1/jobs/{job.pk}/transitions/").json()["items"]
    assert moved["actor"] == f"user:removed-{mina.pk}"
    assert owner.get(f"/api/v1/jobs/{job.pk}/").json()["created_by"] == f"removed-{mina.pk}"
    asked = {"dataset": "audit", "columns": ["actor", "action"]}
    assert export(world.org, world.owner, **asked, filter={"actor": NAME}).table == []
    found = export(world.org, world.owner, **asked, filter={"actor": standing}).table
    assert {one["actor"] for one in found} == {standing}
    roles = audited(action="member.role")
    assert [(one["target"], one["detail"]) for one in roles] == [(standing, {"old": "viewer", "new": "org_admin"})]


def test_a_name_is_found_only_where_names_stand(world: World, acme: Any) -> None:
    """The operator is called like a role, and like a queue; afterwards both are told as before."""
    owner = api(world.owner, world.org)
    api(world.operator).post("/api/v1/jobs/", {**ADD, "queue": "operator"})
    assert owner.post("/api/v1/queues/operator/pause/", {"reason": "the operator asked"}).status_code == 200
    assert owner.patch("/api/v1/orgs/acme/members/viewer/", {"role": "operator"}).status_code == 200
    assert api(world.operator).delete("/api/v1/auth/me/", {"current_password": OF_WORLD}).status_code == 204

    entries = {one["action"]: one for one in owner.get("/api/v1/audit/").json()["items"]}

    assert entries["queue.pause"]["target"] == "operator"
    assert entries["member.role"]["detail"] == {"old": "viewer", "new": "operator"}
    assert entries["job.submit"]["actor"] == f"removed user {world.operator.pk}"
    assert [one["action"] for one in owner.get("/api/v1/audit/?target=operator").json()["items"]] == ["queue.pause"]
    assert Membership.objects.filter(org=world.org).count() == 2
    assert not ApiKey.objects.filter(created_by=world.operator, revoked_at=None).exists()
    assert not Invitation.objects.filter(user=world.operator, state=Invitation.PENDING).exists()
