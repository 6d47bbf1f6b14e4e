"""The pages of accounts, organisations and members, as a browser without scripts uses them."""

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from orgs.models import AuditEntry, Invitation, Membership, Org, User
from orgs.roles import Role
from tests.conftest import World
from tests.factories import PASSWORD, browser, make_member, make_user

pytestmark = pytest.mark.django_db

SIGN_UP = {"username": "ada", "email": "ada@example.com", "password": "note G, 1843"}


def sign_in(client: Client, username: str, password: str = PASSWORD, **more: str) -> Any:
    return client.post("/sign-in/", {"username": username, "password": password, **more})


def text(response: Any) -> str:
    """What is to be read on a page."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def summary(response: Any) -> str:
    """What a screen reader says first about a form that was not accepted."""
    alert = re.search(r'<div [^>]*role="alert">(.*?)</div>', response.content.decode(), re.S)
    assert alert
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", alert[1])).split())


def error_of(response: Any, field: str) -> str:
    """What stands beside a field, found as a screen reader finds it."""
    page = response.content.decode()
    control = re.search(rf'<(?:input|select)[^>]*\bid="id_{field}"[^>]*>', page)
    assert control, f"no field {field}"
    described = re.search(r'aria-describedby="([^"]+)"', control[0])
    assert described, f"{field} is described by nothing"
    assert 'aria-invalid="true"' in control[0]
    places = [re.search(rf'<(\w+)[^>]*\bid="{id}"[^>]*>(.*?)</\1>', page, re.S) for id in described[1].split()]
    return unescape(re.sub(r"<[^>]+>", " ", " ".join(place[2] for place in places if place)))


# --- Signing in and out -----------------------------------------------------------------------------------------


def test_signing_in_leads_to_where_one_wanted_to_go(world: World) -> None:
    client = browser()
    wanted = client.get("/members/?after=abc")

    response = sign_in(client, "OWNER", next="/members/?after=abc")

    assert wanted.headers["Location"] == "/sign-in/?next=%2Fmembers%2F%3Fafter%3Dabc"
    assert response.headers["Location"] == "/members/?after=abc"
    assert client.get("/members/").status_code == 200
    assert AuditEntry.objects.get(action="auth.login").actor == world.owner


@pytest.mark.parametrize(
    "onward",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "http:evil.example",
        "javascript:alert(1)",
        "evil.example",
        "profile",
        " //evil.example",
        "\x00",
        "/sign-in/",
        "/sign-up/?x=1",
        "",
    ],
)
def test_signing_in_never_leads_off_the_site(world: World, onward: str) -> None:
    client = browser()

    assert sign_in(client, "owner", next=onward).headers["Location"] == "/"
    assert client.get("/sign-in/", {"next": onward}).headers["Location"] == "/"


def test_a_line_break_in_next_stays_out_of_the_header(world: World) -> None:
    response = sign_in(browser(), "owner", next="/members/\r\nSet-Cookie: a=b")

    assert response.headers["Location"] == "/members/%0D%0ASet-Cookie:%20a=b"


def test_signing_in_makes_a_new_session(world: World) -> None:
    client = browser()
    session = client.session
    session["planted"] = "before"
    session.save()
    before = client.cookies["sessionid"].value

    sign_in(client, "owner")

    assert client.cookies["sessionid"].value != before


def test_unknown_name_wrong_password_and_closed_account_read_the_same(world: World) -> None:
    make_user("closed", is_active=False)

    answers = [
        sign_in(browser(), "nobody"),
        sign_in(browser(), "owner", "wrong password"),
        sign_in(browser(), "closed"),
    ]

    assert {answer.status_code for answer in answers} == {422}
    assert {summary(answer) for answer in answers} == {
        "This was not accepted. The username or the password is not right."
    }
    assert AuditEntry.objects.filter(action="auth.login_failed").count() == 3


def test_the_password_is_never_sent_back(world: World) -> None:
    response = sign_in(browser(), "owner", "my secret guess")

    assert "my secret guess" not in response.content.decode()
    assert 'value="owner"' in response.content.decode()


def test_signing_out_ends_the_session(world: World) -> None:
    client = browser(world.owner)

    assert client.get("/sign-out/").status_code == 405
    assert client.get("/profile/").status_code == 200
    assert client.post("/sign-out/").headers["Location"] == "/sign-in/"

    assert client.get("/profile/").status_code == 302
    assert AuditEntry.objects.get(action="auth.logout").actor == world.owner


def test_a_closed_account_is_signed_out_everywhere(world: World) -> None:
    client = browser(world.owner)
    User.objects.filter(pk=world.owner.pk).update(is_active=False)

    assert client.get("/profile/").status_code == 302


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/sign-in/", {"username": "owner", "password": PASSWORD}),
        ("/sign-up/", SIGN_UP),
        ("/sign-out/", {}),
        ("/theme/", {"theme": "dark"}),
        ("/profile/", {"form": "email", "email": "new@example.com"}),
        ("/organisations/", {"name": "Fresh"}),
        ("/organisations/switch/", {"org": "acme"}),
        ("/organisations/leave/", {"org": "acme"}),
        ("/organisations/rename/", {"name": "Fresh"}),
        ("/members/", {"who": "loner", "role": "viewer"}),
        ("/members/viewer/role/", {"role": "operator"}),
        ("/members/viewer/removal/", {}),
        ("/members/invitations/1/withdrawal/", {}),
        ("/invitations/1/acceptance/", {}),
        ("/invitations/1/refusal/", {}),
    ],
)
def test_a_form_without_its_csrf_token_does_nothing(world: World, path: str, fields: dict[str, str]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.owner)
    before = list(Membership.objects.values()), list(User.objects.values("email")), list(Org.objects.values())

    response = client.post(path, fields)

    assert response.status_code == 403
    assert (list(Membership.objects.values()), list(User.objects.values("email")), list(Org.objects.values())) == before
    assert not Invitation.objects.exists()


def test_a_form_with_its_csrf_token_works(world: World) -> None:
    client = Client(enforce_csrf_checks=True)
    page = client.get("/sign-in/").content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token

    response = sign_in(client, "owner", csrfmiddlewaretoken=token[1])

    assert response.status_code == 302


# --- Signing up -------------------------------------------------------------------------------------------------


def test_a_new_person_founds_his_organisation_and_is_signed_in(world: World) -> None:
    client = browser()

    response = client.post("/sign-up/", {**SIGN_UP, "organisation": "Analytical Engines"})

    assert response.headers["Location"] == "/"
    ada = User.objects.get(username="ada")
    assert (ada.email, ada.is_staff, ada.is_superuser) == ("ada@example.com", False, False)
    assert Membership.objects.get(user=ada).role == "org_admin"
    assert "ada" in text(client.get("/profile/"))


def test_signing_up_takes_no_rights_from_the_form(world: World) -> None:
    browser().post("/sign-up/", {**SIGN_UP, "role": "org_admin", "org": "acme", "is_superuser": "on", "is_staff": "on"})

    ada = User.objects.get(username="ada")
    assert (ada.is_staff, ada.is_superuser, ada.memberships.count()) == (False, False, 0)


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("username", "ab", "at least 3"),
        ("username", "a" * 10_000, "at most 32"),
        ("username", "a da", "Letters, digits"),
        ("username", "Owner", "taken"),
        ("username", "root", "reserved"),
        ("username", "ad\x00a", "Null characters"),
        ("email", "nonsense", "valid email"),
        ("password", "password", "too common"),
        ("password", "ada@example.com", "too similar"),
        ("password", "x" * 10_000, "at most 256"),
        ("organisation", "x", "at least 2"),
        ("organisation", "x\u202ey", "Control characters"),
    ],
)
def test_errors_stand_beside_their_fields(world: World, field: str, value: str, error: str) -> None:
    response = browser().post("/sign-up/", {**SIGN_UP, field: value})

    assert response.status_code == 422
    assert error in error_of(response, field)
    assert error in summary(response)
    assert "<title>Error: Sign up" in response.content.decode()
    assert not User.objects.filter(username="ada").exists()


@pytest.mark.parametrize(
    ("path", "field", "autocomplete"),
    [
        ("/sign-in/", "username", "username"),
        ("/sign-in/", "password", "current-password"),
        ("/sign-up/", "username", "username"),
        ("/sign-up/", "password", "new-password"),
        ("/sign-up/", "email", "email"),
    ],
)
def test_browsers_know_what_to_fill_in(path: str, field: str, autocomplete: str) -> None:
    page = browser().get(path).content.decode()

    control = re.search(rf'<input[^>]*name="{field}"[^>]*>', page)
    assert control
    assert f'autocomplete="{autocomplete}"' in control[0]
    assert f'<label for="id_{field}"' in page


# --- Profile and theme ------------------------------------------------------------------------------------------


def test_a_new_password_keeps_this_browser_and_ends_the_others(world: World) -> None:
    here, elsewhere = browser(world.owner), browser(world.owner)

    response = here.post(
        "/profile/",
        {"form": "password", "current_password": PASSWORD, "new_password": "a wholly other phrase"},
        follow=True,
    )

    assert "Your password is changed." in text(response)
    assert here.get("/profile/").status_code == 200
    assert elsewhere.get("/profile/").status_code == 302
    assert sign_in(browser(), "owner").status_code == 422
    assert sign_in(browser(), "owner", "a wholly other phrase").status_code == 302


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"form": "password", "current_password": "x", "new_password": "a wholly other phrase"}, "current_password"),
        ({"form": "password", "current_password": PASSWORD, "new_password": "short"}, "new_password"),
        ({"form": "email", "email": "nonsense"}, "email"),
        ({"email": ""}, "email"),
    ],
)
def test_a_bad_profile_changes_nothing(world: World, fields: dict[str, str], field: str) -> None:
    response = browser(world.owner).post("/profile/", fields)

    assert response.status_code == 422
    assert error_of(response, field)
    world.owner.refresh_from_db()
    assert world.owner.check_password(PASSWORD)
    assert world.owner.email == ""


def test_the_profile_shows_and_changes_the_address(world: World) -> None:
    client = browser(world.owner)

    response = client.post("/profile/", {"form": "email", "email": "o@example.com"}, follow=True)

    assert 'value="o@example.com"' in response.content.decode()
    assert "Acme org admin" in text(response)


@pytest.mark.parametrize("word", ["light", "dark", "system"])
def test_the_theme_is_kept_in_a_cookie(word: str) -> None:
    client = browser()

    response = client.post("/theme/", {"theme": word, "next": "/sign-up/"})

    assert response.headers["Location"] == "/sign-up/"
    assert client.cookies["theme"].value == word
    assert ('data-theme="dark"' in client.get("/sign-up/").content.decode()) == (word == "dark")


@pytest.mark.parametrize("word", ["", "purple", "dark; x=y", "\x00"])
def test_only_themes_there_are_can_be_chosen(word: str) -> None:
    client = browser()

    response = client.post("/theme/", {"theme": word, "next": "//evil.example/"})

    assert response.headers["Location"] == "/"
    assert "theme" not in client.cookies


# --- Organisations ----------------------------------------------------------------------------------------------


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


# --- Members and invitations ------------------------------------------------------------------------------------


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
    match = re.search(r'value="http://testserver(/invitations/[^"]+)"', shown.content.decode())
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
