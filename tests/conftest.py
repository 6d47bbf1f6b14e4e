"""Fixtures for all tests."""

import os
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import hypothesis
import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection, transaction

from jobs import active_classifier, active_model
from orgs.models import Membership, Org, User
from orgs.roles import Role
from tests.factories import PASSWORD

# How long an example takes is the machine's matter. On a CI machine the examples are the same each time.
hypothesis.settings.register_profile(
    "smartqueue",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("smartqueue")

PASSWORD_HASH = make_password(PASSWORD)


@dataclass
class World:
    """Two organisations that know nothing of each other, with one person in each role."""

    org: Org
    owner: User
    operator: User
    viewer: User
    rival: Org
    outsider: User
    loner: User
    platform_admin: User

    def people(self) -> dict[str, User]:
        return {
            "owner": self.owner,
            "operator": self.operator,
            "viewer": self.viewer,
            "outsider": self.outsider,
            "loner": self.loner,
        }


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Tests with several connections empty every table afterwards, which the audit trail refuses otherwise."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        for table in ("orgs_auditentry", "orgs_auditerased", "orgs_auditseal", "orgs_audithead"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER audit_no_truncate")


@pytest.fixture(scope="module")
def one_transaction(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Around a module, each of whose tests is a savepoint in it: what the fixtures of a module make is there for all.

    For modules without tests of several connections. now() is the same in all of their statements.
    """
    with django_db_blocker.unblock(), transaction.atomic():
        may_idle()
        yield
        transaction.set_rollback(True)


def may_idle() -> None:
    """For the rest of this transaction: between two statements a test may take longer than a process of ours may."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")


@pytest.fixture(scope="module")
def one_world(one_transaction: None) -> World:
    """The world of a module."""
    return make_world()


@pytest.fixture
def world(db: None, request: pytest.FixtureRequest) -> World:
    """A test's own, or the module's as if it were."""
    if "one_world" in request.fixturenames:
        return deepcopy(request.getfixturevalue("one_world"))
    return make_world()


def make_world() -> World:
    """acme with owner, operator and viewer; rival with outsider as its org_admin; loner is in none."""
    org, rival = Org.objects.bulk_create(
        [
            Org(slug="acme", name="Acme", shell_programs=["/bin/echo", "/bin/sleep"]),
            Org(slug="rival", name="Rival"),
        ]
    )
    names = ("owner", "operator", "viewer", "outsider", "loner")
    people = [User(username=name, password=PASSWORD_HASH) for name in names]
    people.append(User(username="platform", password=PASSWORD_HASH, is_superuser=True, is_staff=True))
    owner, operator, viewer, outsider, loner, platform_admin = User.objects.bulk_create(people)
    roles = [
        (org, owner, Role.ORG_ADMIN),
        (org, operator, Role.OPERATOR),
        (org, viewer, Role.VIEWER),
        (rival, outsider, Role.ORG_ADMIN),
    ]
    Membership.objects.bulk_create([Membership(org=where, user=who, role=role) for where, who, role in roles])
    return World(org, owner, operator, viewer, rival, outsider, loner, platform_admin)


@pytest.fixture(autouse=True)
def no_models_between_tests() -> Iterator[None]:
    """A model read in one test must not predict in the next."""
    active_model.forget_models()
    active_classifier.forget_classifiers()
    yield
    active_model.forget_models()
    active_classifier.forget_classifiers()
