"""Names of people whose accounts were removed: known again, and nobody gets them."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from orgs import accounts
from orgs.models import NameKey, RemovedName, User
from orgs.removed_names import NamesUnreadable, check_never_removed, known
from orgs.sealed import rotate
from tests.conftest import World
from tests.factories import PASSWORD, api, browser
from tests.orgs.reading import SIGN_UP, error_of, text

pytestmark = pytest.mark.django_db

ME = "/api/v1/auth/me/"
OWN = {"current_password": PASSWORD}


def register(name: str) -> Any:
    return api().post("/api/v1/auth/register/", {**SIGN_UP, "username": name})


@pytest.mark.parametrize("name", ["operator", "Operator"])
def test_a_removed_name_is_taken_for_ever(world: World, name: str) -> None:
    api(world.operator).delete(ME, OWN)

    refused = register(name)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "unique")
    assert "taken" in error_of(browser().post("/sign-up/", {**SIGN_UP, "username": name}), "username")
    site = browser(world.platform_admin)
    path = f"/admin/orgs/user/{world.viewer.pk}/change/"
    assert "This username is taken." in text(site.post(path, {"username": name, "is_active": "on"}))
    world.viewer.refresh_from_db()
    assert world.viewer.username == "viewer"
    with pytest.raises(CommandError):
        call_command("createsuperuser", "--noinput", username=name, email="x@example.com")
    assert register("operator2").status_code == 201


@pytest.mark.parametrize("name", ["removed-1", "Removed-77", "removed-1-2"])
def test_what_stands_for_the_removed_is_reserved(name: str) -> None:
    assert register(name).json()["errors"][0]["code"] == "reserved"


def test_who_was_called_like_that_before_keeps_it(world: World) -> None:
    User.objects.create(username=f"Removed-{world.operator.pk}")

    api(world.operator).delete(ME, OWN)

    world.operator.refresh_from_db()
    assert world.operator.username == f"removed-{world.operator.pk}-2"


def test_earlier_names_and_addresses_are_known_too(world: World) -> None:
    site = browser(world.platform_admin)
    person = world.operator
    accounts.change_email(person, "one@example.com")
    for name in ("second", "third"):
        changed = {"username": name, "email": f"{name}@example.com", "is_active": "on"}
        assert site.post(f"/admin/orgs/user/{person.pk}/change/", changed).status_code == 302
    person.refresh_from_db()
    # somebody else has it by now
    User.objects.create(username="operator")

    api(person).delete(ME, OWN)

    words = ["second", "third", "one@example.com", "second@example.com", "third@example.com", "operator"]
    assert set(known(words).words) == set(words) - {"operator"}


def test_names_are_kept_as_digests_under_a_key_that_is_rotated(world: World, settings: Settings) -> None:
    api(world.operator).delete(ME, OWN)
    kept = [bytes(row.digest) for row in RemovedName.objects.all()]
    assert [len(digest) for digest in kept] == [32]
    (old, secret), *_ = settings.ENCRYPTION_KEYS.items()

    settings.ENCRYPTION_KEYS = {"new": b"n" * 32, old: secret}
    assert sum(one.resealed for one in rotate()) == 1
    settings.ENCRYPTION_KEYS = {"new": b"n" * 32}

    assert NameKey.objects.get().sealed.startswith("v1.new.")
    assert set(known(["operator"]).words) == {"operator"}
    # without the key nothing is shown, rather than everything
    settings.ENCRYPTION_KEYS = {"other": b"o" * 32}
    with pytest.raises(NamesUnreadable):
        check_never_removed("operator")
    assert api(world.owner).get("/api/v1/audit/").status_code == 503
