"""Signing up, the profile and the theme, as a browser without scripts uses them."""

import re

import pytest

from orgs.models import Membership, User
from tests.conftest import World
from tests.factories import PASSWORD, browser
from tests.orgs.reading import SIGN_UP, error_of, sign_in, summary, text

pytestmark = pytest.mark.django_db


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
