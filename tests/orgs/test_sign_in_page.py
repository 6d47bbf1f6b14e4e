"""Signing in and out on pages."""

import re

import pytest
from django.test import Client

from orgs.models import AuditEntry, Invitation, Membership, Org, User
from tests.conftest import World
from tests.factories import PASSWORD, browser, make_user
from tests.orgs.reading import SIGN_UP, sign_in, summary

pytestmark = pytest.mark.django_db


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


def test_a_fragment_for_nobody_sends_the_whole_page_to_sign_in() -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/members/?after=abc"}

    response = browser().get("/members/", headers=headers)

    assert response.status_code == 401
    assert response.headers["HX-Redirect"] == "/sign-in/?next=%2Fmembers%2F%3Fafter%3Dabc"


def test_a_form_sent_after_the_session_ended_does_not_lead_back_to_an_address_without_a_page() -> None:
    assert browser().post("/organisations/switch/", {"org": "acme"}).headers["Location"] == "/sign-in/"


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
