"""The same of Django's admins: whatever stands in the database, their lists show it as text."""

import pytest
from django.contrib import admin

from orgs.admin_site import org_admin_site
from orgs.models import User
from tests.factories import browser
from tests.hostile.columns import overwrite
from tests.hostile.looking import is_page, looked_at, shape
from tests.hostile.rows import Filled
from tests.hostile.texts import HARMLESS, HOSTILE
from tests.rights.walk import undone

pytestmark = pytest.mark.django_db


def lists_of(site: admin.AdminSite, root: str) -> list[str]:
    return [f"{root}{model._meta.app_label}/{model._meta.model_name}/" for model in site._registry]


def test_text_in_any_column_is_text_in_every_list(filled: Filled) -> None:
    User.objects.filter(pk=filled.world.owner.pk).update(is_staff=True)
    filled.world.owner.refresh_from_db()
    asked = [
        *((browser(filled.world.platform_admin), path) for path in lists_of(admin.site, "/admin/")),
        *((browser(filled.world.owner), path) for path in lists_of(org_admin_site, "/admin/organisation/")),
    ]

    def seen() -> dict[str, object]:
        found: dict[str, object] = {}
        for client, path in asked:
            response = client.get(path)
            assert is_page(response, path), path
            found[path] = shape(looked_at(response, path))
        return found

    with undone():
        overwrite(HARMLESS)
        harmless = seen()
    assert len(harmless) > 20
    for name, text in HOSTILE.items():
        with undone():
            overwrite(text)
            hostile = seen()
        assert [path for path in harmless if hostile[path] != harmless[path]] == [], name
