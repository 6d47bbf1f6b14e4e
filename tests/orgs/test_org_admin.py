"""The admin of one organisation: for its org_admins with the staff flag, of its rows alone, changed by our verbs."""

import re
from typing import Any

import pytest

from jobs.models import ModelVersion, Queue, Schedule
from jobs.queue import schedules
from orgs import audit, walls
from orgs.admin_site import org_admin_site
from orgs.keys import create_key
from orgs.models import ApiKey, AuditEntry, Membership, Org, User
from orgs.roles import Role
from orgs.scope import Scope
from tests.conftest import World
from tests.factories import browser, make_job, make_member, make_version

pytestmark = pytest.mark.django_db

HERE = "/admin/organisation/"
SECTIONS = ["orgs/membership", "orgs/apikey", "orgs/auditentry", "jobs/queue", "jobs/schedule", "jobs/modelversion"]
JOB = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}


def fill(org: Org, admin: User, word: str) -> dict[str, Any]:
    """One of each section, with a word that is nowhere else; by section the key of it."""
    scope = Scope(admin, org, Role.ORG_ADMIN)
    member = make_member(org, Role.VIEWER, f"{word}-member")
    key, _ = create_key(f"{word}-key", scope=scope, role=Role.VIEWER)
    make_job(org, queue=f"{word}-queue")
    schedule = schedules.create(scope=scope, name=f"{word}-schedule", cron="@daily", job=JOB)
    version = make_version(org, 1, reason=f"{word}-model")
    entry = audit.record("test.act", org=org, actor=admin, target=f"{word}-target")
    return {
        "orgs/membership": Membership.objects.get(user=member).pk,
        "orgs/apikey": key.pk,
        "orgs/auditentry": entry.pk,
        "jobs/queue": Queue.objects.get(name=f"{word}-queue").pk,
        "jobs/schedule": schedule.pk,
        "jobs/modelversion": version.pk,
    }


@pytest.fixture
def rows(world: World) -> dict[str, dict[str, Any]]:
    """Of acme, whose owner is staff, and of the other organisation."""
    User.objects.filter(pk__in=[world.owner.pk, world.operator.pk]).update(is_staff=True)
    return {"ours": fill(world.org, world.owner, "ours"), "theirs": fill(world.rival, world.outsider, "theirs")}


def staff(world: World) -> Any:
    world.owner.refresh_from_db()
    return browser(world.owner)


def test_the_sections_are_those_of_the_matrix() -> None:
    registered = {f"{model._meta.app_label}/{model._meta.model_name}" for model in org_admin_site._registry}

    assert registered == set(SECTIONS)


@pytest.mark.parametrize("section", SECTIONS)
def test_staff_of_one_see_their_rows_and_nothing_of_the_other(world: World, rows: Any, section: str) -> None:
    client = staff(world)
    everything = client.get(f"{HERE}{section}/")
    found = client.get(f"{HERE}{section}/?q=theirs")
    own = client.get(f"{HERE}{section}/{rows['ours'][section]}/change/")
    foreign = client.get(f"{HERE}{section}/{rows['theirs'][section]}/change/")

    assert (everything.status_code, found.status_code, own.status_code) == (200, 200, 200)
    assert "ours-" in everything.content.decode()
    assert "theirs-" not in everything.content.decode()
    assert f"/{rows['theirs'][section]}/change" not in found.content.decode()
    assert "ours-" in own.content.decode()
    # Django leads away from what is not there, saying so
    assert (foreign.status_code, foreign["Location"]) == (302, HERE)
    assert "theirs-" not in client.get(HERE).content.decode()


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize(
    "query",
    ["org__slug=rival", "org=2", "org_id__gt=0", "user__email__startswith=a", "secret_sha256__startswith=a", "e=1"],
)
def test_no_parameter_leads_beyond(world: World, rows: Any, section: str, query: str) -> None:
    answer = staff(world).get(f"{HERE}{section}/?{query}", follow=True)

    assert answer.status_code in {200, 400}
    assert "theirs-" not in answer.content.decode()


@pytest.mark.parametrize("section", SECTIONS)
def test_the_wall_stands_where_the_section_forgets(
    world: World, rows: Any, section: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row security alone, with the filter of the section taken away."""
    for shown in org_admin_site._registry.values():
        monkeypatch.setattr(
            type(shown),
            "get_queryset",
            lambda self, request: self.model._default_manager.all().order_by("pk"),
            raising=False,
        )
    with walls.raised():
        answer = staff(world).get(f"{HERE}{section}/")

    assert "ours-" in answer.content.decode()
    assert "theirs-" not in answer.content.decode()


@pytest.mark.parametrize("section", SECTIONS)
def test_nothing_is_added_changed_or_deleted_by_a_form(world: World, rows: Any, section: str) -> None:
    client, path = staff(world), f"{HERE}{section}/{rows['ours'][section]}/"

    answers = [
        client.get(f"{HERE}{section}/add/"),
        client.post(f"{HERE}{section}/add/", {"name": "x"}),
        client.post(f"{path}change/", {"name": "x", "role": "org_admin"}),
        client.post(f"{path}delete/", {"post": "yes"}),
        client.post(
            f"{HERE}{section}/",
            {"action": "delete_selected", "_selected_action": [rows["ours"][section]], "post": "yes"},
        ),
    ]

    assert [one.status_code for one in answers[:4]] == [403] * 4
    model: Any = next(one for one in org_admin_site._registry if one._meta.model_name == section.split("/")[1])
    assert model._default_manager.filter(pk=rows["ours"][section]).exists()


@pytest.mark.parametrize("path", [HERE, f"{HERE}jobs/queue/", f"{HERE}orgs/auditentry/", f"{HERE}nothing/"])
def test_nobody_else_finds_it(world: World, rows: Any, path: str) -> None:
    """Staff but no org_admin, not staff, org_admin elsewhere without the flag."""
    for person in (world.operator, world.viewer, world.outsider, world.loner):
        person.refresh_from_db()
        assert browser(person).get(path, follow=True).status_code == 404, person
    assert browser().get(path, follow=True).redirect_chain[-1][0].startswith("/sign-in/?next=")


def test_a_platform_admin_is_there_in_the_organisation_that_he_acts_in_only(world: World, rows: Any) -> None:
    User.objects.filter(pk=world.platform_admin.pk).update(active_org=world.rival, is_staff=True)
    page = browser(world.platform_admin).get(f"{HERE}jobs/queue/").content.decode()

    assert "theirs-" in page
    assert "ours-" not in page


def test_the_flag_opens_nothing_of_the_platform(world: World, rows: Any) -> None:
    client = staff(world)

    for path in ("/admin/", "/admin/orgs/user/", "/admin/jobs/job/", "/platform/organisations/"):
        assert client.get(path, follow=True).status_code in {403, 404}, path


def test_it_ends_with_the_role_and_with_the_flag(world: World, rows: Any) -> None:
    client = staff(world)
    assert client.get(HERE).status_code == 200
    Membership.objects.filter(user=world.owner).update(role=Role.OPERATOR)
    assert client.get(HERE, follow=True).status_code == 404
    Membership.objects.filter(user=world.owner).update(role=Role.ORG_ADMIN)
    User.objects.filter(pk=world.owner.pk).update(is_staff=False)
    assert client.get(HERE, follow=True).status_code == 404


@pytest.mark.parametrize("name", ["password_change/", "autocomplete/", "r/1/1/", "jobs/queue/1/history/"])
def test_what_of_djangos_passes_our_verbs_is_not_there(world: World, rows: Any, name: str) -> None:
    assert staff(world).get(f"{HERE}{name}", follow=True).status_code == 404


ACTIONS = [
    ("orgs/membership", "make_operator", "member.role"),
    ("orgs/membership", "remove", "member.remove"),
    ("orgs/apikey", "revoke", "key.revoke"),
    ("jobs/queue", "pause", "queue.pause"),
    ("jobs/queue", "resume", "queue.resume"),
    ("jobs/schedule", "pause", "schedule.change"),
    ("jobs/modelversion", "promote", "model.promote"),
]


@pytest.mark.parametrize(("section", "action", "told"), ACTIONS)
def test_an_action_is_a_verb_of_ours_and_in_the_trail(
    world: World, rows: Any, section: str, action: str, told: str
) -> None:
    """What is chosen of the other organisation is not even found."""
    chosen = [rows["ours"][section], rows["theirs"][section]]

    answer = staff(world).post(
        f"{HERE}{section}/", {"action": action, "_selected_action": chosen, "reason": "tidying"}, follow=True
    )

    entry = AuditEntry.objects.get(action=told, org=world.org, actor=world.owner)
    assert entry.address is not None
    assert not AuditEntry.objects.filter(action=told, org=world.rival).exists()
    assert "Done: 1." in re.sub(r"\s+", " ", answer.content.decode())


def test_what_is_refused_is_said_and_leaves_the_row(world: World, rows: Any) -> None:
    own = Membership.objects.get(user=world.owner)

    answer = staff(world).post(
        f"{HERE}orgs/membership/", {"action": "make_viewer", "_selected_action": [own.pk]}, follow=True
    )

    assert "without an org_admin" in answer.content.decode()
    own.refresh_from_db()
    assert own.role == Role.ORG_ADMIN


def test_a_platform_admin_sets_the_flag_and_that_is_in_the_trail(world: World) -> None:
    client, path = browser(world.platform_admin), f"/admin/orgs/user/{world.owner.pk}/change/"
    form = {"username": "owner", "email": "", "is_active": "on", "is_staff": "on"}

    assert client.post(path, form).status_code == 302

    world.owner.refresh_from_db()
    assert world.owner.is_staff
    entry = AuditEntry.objects.get(action="admin.change")
    assert entry.detail["new"]["is_staff"] == "True"
    assert (Schedule.objects.count(), ModelVersion.objects.count(), ApiKey.objects.count()) == (0, 0, 0)
