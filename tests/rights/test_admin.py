"""Every route of Django's admin is for platform admins."""

import re

import pytest

from tests.rights.expected import CALLERS, TO_ADMIN, TO_ORG_ADMIN, expected
from tests.rights.walk import OF_ADMIN, Clients, undone, writes

pytestmark = pytest.mark.django_db


def test_the_admin_is_for_platform_admins(clients: Clients) -> None:
    """Every route of it; what its forms do is Django's."""
    for route in OF_ADMIN:
        path = re.sub(r"<[^>]+>", "1", route.path).replace("^", "").removesuffix("$")
        path = re.sub(r"\(\?P<\w+>([^|)]*)[^)]*\)", r"\1", path).replace(".*", "x")
        for caller in CALLERS:
            for method in ("GET", "POST"):
                counted = writes()
                what = expected(route, method, caller)
                with undone():
                    answer = getattr(clients[caller.client][1], method.lower())(path)
                if what in {TO_ADMIN, TO_ORG_ADMIN}:
                    assert answer.status_code in {302, 404}, (path, method, caller)
                    assert answer.get("Location", what).split("?")[0] in {what, "/admin/", "/admin/organisation/"}, (
                        path,
                        method,
                        caller,
                    )
                    assert writes() == counted
                assert answer.status_code < 500
