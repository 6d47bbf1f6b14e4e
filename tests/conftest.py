"""Fixtures for all tests."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection

from jobs import estimates
from orgs.models import Org, User
from orgs.roles import Role
from tests.factories import make_member, make_org, make_user


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
        cursor.execute("ALTER TABLE orgs_auditentry DISABLE TRIGGER audit_no_truncate")


@pytest.fixture
def world(db: None) -> World:
    """acme with owner, operator and viewer; rival with outsider as its org_admin; loner is in none."""
    org, rival = make_org("acme", shell_programs=["/bin/echo", "/bin/sleep"]), make_org("rival")
    return World(
        org=org,
        owner=make_member(org, Role.ORG_ADMIN, "owner"),
        operator=make_member(org, Role.OPERATOR, "operator"),
        viewer=make_member(org, Role.VIEWER, "viewer"),
        rival=rival,
        outsider=make_member(rival, Role.ORG_ADMIN, "outsider"),
        loner=make_user("loner"),
        platform_admin=make_user("platform", is_superuser=True, is_staff=True),
    )


@pytest.fixture(autouse=True)
def no_models_between_tests() -> Iterator[None]:
    """A model read in one test must not predict in the next."""
    estimates.forget_models()
    yield
    estimates.forget_models()
