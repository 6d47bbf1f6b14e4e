"""The pages of organisations and their members, as a browser without scripts uses them."""

import re
from html import unescape
from typing import Any

import pytest

from orgs.models import Invitation, Membership, Org
from orgs.roles import Role
from tests.conftest import World
from tests.factories import browser, make_member
from tests.jobs.pages.pages import read
from tests.orgs.reading import SIGN_UP, error_of, text

pytestmark = pytest.mark.django_db


def test_a_person_of_none_is_led_to_found_or_join_one(world: World) -> None:
    response = browser(world.loner).get("/members/", follow=True)

    assert response.redirect_chain == [("/organisations/", 302)]
    assert "You belong to no organisation yet" in text(response)


def test_founding_an_organisation_makes_it_the_active_one(world: World) -> None:
    client = browser(world.owner)

    client.post("/organisations/", {"name": "Second"})

    assert "Members of Second" in text(client.get("/members/"))


def test_switching_changes_what_every_page_is_about(world: World) -> None:
    Membership.objects.create(org=world.rival, user=world.owner, role=Role.VIEWER)
    client = browser(world.owner)
    assert "Members of Acme" in text(client.get("/members/"))

    client.post("/organisations/switch/", {"org": "rival"})

    page = client.get("/members/")
    assert "Members of Rival" in text(page)
    assert "viewer" not in [row.user.username for row in page.context["members"]]


def test_a_link_to_a_page_of_another_of_his_organisations_asks_before_it_goes_there(world: World) -> None:
    Membership.objects.create(org=world.rival, user=world.owner, role=Role.VIEWER)
    client = browser(world.owner)

    asked = read(client.get("/jobs/?status=failed&org=rival"))
    assert "This is about Rival" in asked.one("h1").text
    # the link alone has changed nothing
    assert "Members of Acme" in text(client.get("/members/"))
    card = asked.one("section", css="card")
    sent = {name: card.one("input", name=name).attributes["value"] for name in ("org", "next")}
    gone = client.post("/organisations/switch/", sent)

    assert gone["Location"] == "/jobs/?status=failed"
    assert "Members of Rival" in text(client.get("/members/?org=rival"))


@pytest.mark.parametrize("slug", ["rival", "no-such", "' OR 1=1", "x" * 300])
def test_a_link_to_a_page_of_an_organisation_that_is_not_his_finds_nothing(world: World, slug: str) -> None:
    assert browser(world.owner).get("/jobs/", {"org": slug}).status_code == 404
    assert browser(world.owner).get("/jobs/", {"org": "acme"}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/jobs/", "/members/", "/profile/"])
def test_whoever_is_in_several_may_choose_on_every_page(world: World, path: str) -> None:
    assert not read(browser(world.owner).get(path)).all("select", id="org-switch")
    Membership.objects.create(org=world.rival, user=world.owner, role=Role.VIEWER)

    choice = read(browser(world.owner).get(path)).by_id("org-switch").all("option")

    assert [one.attributes["value"] for one in choice] == ["acme", "rival"]


@pytest.mark.parametrize("path", ["/organisations/switch/", "/organisations/leave/"])
@pytest.mark.parametrize("slug", ["", "rival", "nothing", "\x00", "x" * 10_000])
def test_switching_and_leaving_ask_for_an_organisation_of_mine(world: World, path: str, slug: str) -> None:
    assert browser(world.owner).post(path, {"org": slug}).status_code == 404


def test_leaving_ends_membership_unless_one_is_the_last_org_admin(world: World) -> None:
    stays = browser(world.owner).post("/organisations/leave/", {"org": "acme"}, follow=True)
    goes = browser(world.viewer).post("/organisations/leave/", {"org": "acme"}, follow=True)

    assert "would be left without an org_admin" in text(stays)
    assert "You have left Acme." in text(goes)
    assert set(world.org.memberships.values_list("user__username", flat=True)) == {"owner", "operator"}


@pytest.mark.parametrize(
    ("name", "kept", "said"), [("Acme Ltd", "Acme Ltd", "renamed"), ("x", "Acme", "It was not renamed")]
)
def test_renaming_is_for_the_org_admin(world: World, name: str, kept: str, said: str) -> None:
    response = browser(world.owner).post("/organisations/rename/", {"name": name}, follow=True)

    assert said in text(response)
    world.org.refresh_from_db()
    assert world.org.name == kept


def test_a_viewer_sees_the_members_and_why_he_cannot_change_them(world: World) -> None:
    response = browser(world.viewer).get("/members/")

    assert "Your role here is viewer" in text(response)
    assert "org admins : owner" in text(response) or "org admins: owner" in text(response)
    page = response.content.decode()
    assert page.count("<form") == page.split("<main")[0].count("<form")


def test_an_org_admin_changes_roles_and_removes_members(world: World) -> None:
    client = browser(world.owner)

    changed = client.post("/members/viewer/role/", {"role": "operator"}, follow=True)
    removed = client.post("/members/operator/removal/", follow=True)

    assert "viewer is operator now." in text(changed)
    assert "operator is no member any more." in text(removed)
    assert dict(world.org.memberships.values_list("user__username", "role")) == {
        "owner": "org_admin",
        "viewer": "operator",
    }
    assert browser(world.operator).get("/members/").status_code == 302


@pytest.mark.parametrize(
    ("path", "fields", "said"),
    [
        ("/members/owner/role/", {"role": "viewer"}, "would be left without an org_admin"),
        ("/members/owner/removal/", {}, "would be left without an org_admin"),
        ("/members/viewer/role/", {"role": "god"}, "Select a valid choice"),
        ("/members/viewer/role/", {}, "This field is required"),
    ],
)
def test_what_cannot_be_is_said_and_not_done(world: World, path: str, fields: dict[str, str], said: str) -> None:
    before = list(Membership.objects.values())

    response = browser(world.owner).post(path, fields, follow=True)

    assert said in text(response)
    assert list(Membership.objects.values()) == before


def test_a_person_invited_by_name_joins_from_his_organisations_page(world: World) -> None:
    owner, loner = browser(world.owner), browser(world.loner)
    sent = owner.post("/members/", {"who": "LONER", "role": "operator"}, follow=True)
    assert "loner is invited" in text(sent)
    offers = loner.get("/organisations/")
    assert "to Acme as operator" in text(offers)
    invitation = Invitation.objects.get()

    joined = loner.post(f"/invitations/{invitation.pk}/acceptance/", follow=True)

    assert "You are operator of Acme now." in text(joined)
    assert loner.get("/members/").status_code == 200


def test_the_link_for_an_address_is_shown_once_and_leads_through_sign_up_to_membership(world: World) -> None:
    owner, guest = browser(world.owner), browser()
    shown = owner.post("/members/", {"who": "guest@example.com", "role": "viewer"})
    match = re.search(r">http://testserver(/invitations/[^<]+)<", shown.content.decode())
    assert match
    link = unescape(match[1])
    token = link.split("token=")[1]
    assert token not in owner.get("/members/").content.decode()
    assert "guest@example.com" in text(owner.get("/members/"))

    page = guest.get(link)
    assert "owner invites you to join as viewer" in text(page)
    onward = re.search(r'href="(/sign-up/\?next=[^"]+)"', page.content.decode())
    assert onward
    sign_up = guest.get(unescape(onward[1]))
    assert sign_up.context["next"] == link
    back = guest.post("/sign-up/", {**SIGN_UP, "next": link})
    assert back.headers["Location"] == link
    action = re.search(r'action="(/invitations/\d+/acceptance/)"', guest.get(link).content.decode())
    assert action
    guest.post(action[1], {"token": token})

    assert Membership.objects.get(user__username="ada").role == "viewer"
    assert "not open any more" in text(guest.get(link))


def test_a_wrong_or_missing_token_shows_nothing_of_an_invitation(world: World) -> None:
    browser(world.owner).post("/members/", {"who": "guest@example.com", "role": "viewer"})
    pk = Invitation.objects.get().pk

    for query in ("", "?token=", "?token=x", "?token=%00", "?token=%FF"):
        assert browser().get(f"/invitations/{pk}/{query}").status_code == 404
    assert browser(world.loner).post(f"/invitations/{pk}/acceptance/", {"token": "x"}).status_code == 404


def test_declining_and_withdrawing_close_an_invitation(world: World) -> None:
    owner, loner = browser(world.owner), browser(world.loner)
    owner.post("/members/", {"who": "loner", "role": "viewer"})
    declined = loner.post(f"/invitations/{Invitation.objects.get().pk}/refusal/", follow=True)
    assert "declined" in text(declined)

    owner.post("/members/", {"who": "loner", "role": "viewer"})
    newest = Invitation.objects.latest("pk")
    owner.post(f"/members/invitations/{newest.pk}/withdrawal/")
    late = loner.post(f"/invitations/{newest.pk}/acceptance/", follow=True)
    again = owner.post(f"/members/invitations/{newest.pk}/withdrawal/", follow=True)

    assert "was answered or withdrawn" in text(late)
    assert "was answered or withdrawn" in text(again)
    assert not Membership.objects.filter(user=world.loner).exists()


@pytest.mark.parametrize(
    ("fields", "field", "status", "error"),
    [
        ({"who": "nobody", "role": "viewer"}, "who", 422, "Nobody has this username"),
        ({"who": "", "role": "viewer"}, "who", 422, "required"),
        ({"who": "a@", "role": "viewer"}, "who", 422, "valid email"),
        ({"who": "x" * 10_000, "role": "viewer"}, "who", 422, "at most 254"),
        ({"who": "\x00", "role": "viewer"}, "who", 422, "Null characters"),
        ({"who": "loner", "role": "god"}, "role", 422, "valid choice"),
        ({"who": "viewer", "role": "org_admin"}, "who", 409, "a member already"),
    ],
)
def test_a_bad_invitation_is_explained_at_its_field(
    world: World, fields: dict[str, str], field: str, status: int, error: str
) -> None:
    response = browser(world.owner).post("/members/", fields)

    assert response.status_code == status
    assert error in error_of(response, field)
    assert not Invitation.objects.exists()


def test_many_members_are_shown_page_by_page(world: World, django_assert_max_num_queries: Any) -> None:
    for number in range(120):
        make_member(world.org, Role.VIEWER, f"member-{number:03}")
    client = browser(world.owner)

    with django_assert_max_num_queries(12):
        first = client.get("/members/")
    second = client.get("/members/", {"after": first.context["after"]})

    names = [row.user.username for page in (first, second) for row in page.context["members"]]
    assert len(names) == len(set(names)) == 123
    assert second.context["after"] == ""
    assert client.get("/members/", {"after": "\x00"}).status_code == 200


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}"


def test_names_are_shown_as_text(world: World) -> None:
    Org.objects.filter(pk=world.org.pk).update(name=HOSTILE)
    client = browser(world.owner)
    client.post("/members/", {"who": "loner", "role": "viewer"})

    for page in (client.get("/members/"), client.get("/organisations/"), browser(world.loner).get("/organisations/")):
        assert page.status_code == 200
        assert "<script>alert" not in page.content.decode()
        assert "<img" not in page.content.decode()
        assert "{{7*7}}" in text(page)


@pytest.mark.parametrize("path", ["/profile/", "/organisations/", "/members/"])
def test_pages_need_no_inline_style_or_script(world: World, path: str) -> None:
    page = browser(world.owner).get(path).content.decode()

    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|<script(?![^>]*\bsrc=)|javascript:", page)


def test_the_policy_lets_nothing_come_from_elsewhere(world: World) -> None:
    policy = browser(world.owner).get("/")["Content-Security-Policy"]

    allowed = dict(part.strip().split(" ", 1) for part in policy.split(";") if " " in part.strip())
    assert allowed["default-src"] == "'none'"
    assert {source for sources in allowed.values() for source in sources.split()} <= {"'none'", "'self'", "data:"}
    assert allowed["script-src"] == "'self'"
