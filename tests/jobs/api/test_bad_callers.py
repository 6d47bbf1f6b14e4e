"""Who is not let in, and what is not there: answered 4xx in the one shape, nothing changed."""

from typing import Any
from uuid import uuid4

import jwt
import pytest
from django.conf import settings
from django.utils import timezone
from rest_framework.test import APIClient

from jobs.models import Job, Transition
from orgs.models import User
from orgs.tokens import give_tokens
from tests.conftest import World
from tests.factories import PASSWORD, api, make_dead_letter
from tests.jobs.api.refusals import ADD, JOBS, assert_refused

pytestmark = pytest.mark.django_db


# --- Ids of others, in paths and bodies ------------------------------------------------------------------------------


@pytest.mark.parametrize("tail", ["cancellation/", "replay/"])
def test_acts_on_another_organisations_job_find_nothing(world: World, tail: str) -> None:
    theirs = make_dead_letter(world.rival)
    before = Transition.objects.count()
    client = api(world.owner)

    answers = [
        assert_refused(client.post(f"{JOBS}{word}/{tail}", {}), 404)
        for word in (theirs.pk, uuid4(), "nonsense", "0", "%00", "null")
    ]

    assert len({(answer["type"], answer["detail"]) for answer in answers}) == 1
    theirs.refresh_from_db()
    assert theirs.status == "failed"
    assert Transition.objects.count() == before


# --- Tokens -----------------------------------------------------------------------------------------------------


def bearer(word: str) -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=word)
    return client


def forged(user: User, **claims: Any) -> str:
    """A token with our own signature and these claims in place of its own."""
    good = str(give_tokens(user).access_token)
    own = jwt.decode(good, options={"verify_signature": False})
    return jwt.encode({**own, **claims}, settings.JWT_SIGNING_KEY, "HS256")


def test_a_token_that_has_expired_or_was_changed_opens_nothing(world: World) -> None:
    good = forged(world.owner)
    head, claims, signature = good.split(".")
    assert bearer(f"Bearer {good}").get(JOBS).status_code == 200
    words = [
        forged(world.owner, exp=int(timezone.now().timestamp()) - 1),
        forged(world.owner, aud="another"),
        forged(world.owner, iss="another"),
        forged(world.owner, token_type="refresh"),
        forged(world.owner, user_id="1000000000"),
        f"{head}.{claims}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}",
        f"{head}.{claims}.",
        f"{head}.{claims}",
        f"{head[:-1]}.{claims}.{signature}",
        "x",
        "",
        "a.b.c",
        "\x00",
        "🛠".encode().decode("latin-1"),
        "x" * 1_000_000,
    ]

    for word in words:
        assert_refused(bearer(f"Bearer {word}").post(JOBS, ADD), 401)
    for word in (good, f"Basic {good}", f"Token {good}", f"Bearer{good}", f"Bearer {good} {good}"):
        assert_refused(bearer(word).post(JOBS, ADD), 401)
    assert not Job.objects.exists()


def test_a_token_given_before_the_password_changed_opens_nothing(world: World) -> None:
    client = api(world.owner)
    world.owner.set_password(PASSWORD + "!")
    world.owner.save()

    assert_refused(client.post(JOBS, ADD), 401)


def test_the_token_of_a_closed_account_opens_nothing(world: World) -> None:
    client = api(world.owner)
    User.objects.filter(pk=world.owner.pk).update(is_active=False)

    assert_refused(client.post(JOBS, ADD), 401)


@pytest.mark.parametrize("slug", ["rival", "unknown", "Not A Slug", "x" * 300, "a\x01", "acme,rival", "../acme"])
def test_an_organisation_that_is_not_ones_own_is_not_there(world: World, slug: str) -> None:
    assert_refused(api(world.owner).get(JOBS, headers={"X-Org": slug}), 404)


@pytest.mark.parametrize("path", ["/api/v1/nothing/", "/api/v1/", "/api/", "/api/v1/jobs/a/b/c/", "/api/v2/jobs/"])
def test_a_path_that_is_not_there_is_a_problem_too(world: World, path: str) -> None:
    assert_refused(api(world.owner).get(path), 404)
    assert_refused(api().post(path, {}), 404)
