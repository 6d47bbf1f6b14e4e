"""manage.py rotate_secrets: everything under the first key, again and again, whatever happens meanwhile."""

from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from jobs.delivery.signing import opened
from orgs import sealed
from orgs.models import Secret
from orgs.scope import find_scope
from orgs.sealed import SEALED, reseal
from orgs.vault import put, values_of
from tests.conftest import World
from tests.factories import make_webhook

pytestmark = pytest.mark.django_db

OLD, NEW = {"old": b"o" * 32}, {"new": b"n" * 32}
COUNT = 5


@pytest.fixture(autouse=True)
def under_the_old_key(world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "BATCH", 2)
    settings.ENCRYPTION_KEYS = OLD
    for number in range(COUNT):
        put(f"s{number}", f"value {number}", scope=find_scope(world.owner, "acme"))


def rotated() -> str:
    out = StringIO()
    call_command("rotate_secrets", stdout=out, stderr=out)
    return out.getvalue()


def values(world: World) -> dict[str, str]:
    return dict(values_of(world.org.pk, {f"s{number}" for number in range(COUNT)}))


def test_everything_comes_under_the_new_key_and_stays_readable(world: World, settings: Settings) -> None:
    before = values(world)
    settings.ENCRYPTION_KEYS = NEW | OLD
    assert values(world) == before  # old rows are readable meanwhile

    assert "orgs.Secret.sealed: 5 sealed anew with key 'new'" in rotated()
    assert "orgs.Secret.sealed: 0 sealed anew" in rotated()

    assert {secret.key_id for secret in Secret.objects.all()} == {"new"}
    settings.ENCRYPTION_KEYS = NEW
    assert values(world) == before


def test_one_that_breaks_off_is_taken_up_again(
    world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ENCRYPTION_KEYS = NEW | OLD
    done: list[Any] = []

    def breaking(row: Any, column: Any) -> int:
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(row.pk)
        return reseal(row, column)

    monkeypatch.setattr(sealed, "reseal", breaking)
    with pytest.raises(KeyboardInterrupt):
        rotated()
    monkeypatch.setattr(sealed, "reseal", reseal)
    assert sorted(secret.key_id for secret in Secret.objects.all()) == ["new"] * 3 + ["old"] * 2

    assert ": 2 sealed anew" in rotated()
    assert len(values(world)) == COUNT


def test_a_value_that_is_set_meanwhile_stands(world: World, settings: Settings) -> None:
    settings.ENCRYPTION_KEYS = NEW | OLD
    read_before = Secret.objects.get(name="s0")
    put("s0", "set meanwhile", scope=find_scope(world.owner, "acme"))

    assert reseal(read_before, SEALED[0]) == 0
    assert values(world)["s0"] == "set meanwhile"


def test_what_no_key_reads_is_named_and_left(world: World, settings: Settings) -> None:
    lost = Secret.objects.get(name="s1")
    settings.ENCRYPTION_KEYS = NEW | {"unknown": b"u" * 32}
    out = StringIO()
    with pytest.raises(CommandError, match="5 could not be read"):
        call_command("rotate_secrets", stdout=out, stderr=out)
    assert f"row {lost.pk} cannot be read" in out.getvalue()

    settings.ENCRYPTION_KEYS = NEW | OLD
    assert ": 5 sealed anew" in rotated()


def test_every_sealed_column_is_in_the_list() -> None:
    """One that is not would be lost with the old key."""
    columns = {
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if "sealed" in field.name
    }
    webhooks = {"jobs.Subscriber.secret", "jobs.Subscriber.previous_secret"}
    assert columns | webhooks == {f"{column.model}.{column.field}" for column in SEALED}


def test_webhooks_come_along(world: World, settings: Settings) -> None:
    webhook = make_webhook(world.org, secret="whsec_" + "A" * 32)
    settings.ENCRYPTION_KEYS = {**NEW, **OLD}

    rotated()
    settings.ENCRYPTION_KEYS = NEW

    webhook.refresh_from_db()
    assert opened(webhook.secret, webhook.pk) == "whsec_" + "A" * 32
