"""Liveness, readiness and who may see the metrics."""

import pytest
from django.db import connection
from django.test import Client, override_settings
from pytest_django import DjangoAssertNumQueries

from tests.conftest import World
from tests.factories import make_dead_letter, make_job


def test_liveness_asks_no_database(client: Client) -> None:
    # without the django_db mark a query would fail the test
    response = client.get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@override_settings(SECURE_SSL_REDIRECT=True)
def test_who_asks_from_inside_is_not_sent_to_tls(client: Client) -> None:
    assert client.get("/healthz").status_code == 200
    assert client.get("/sign-in/").status_code == 301


@pytest.mark.django_db
def test_readiness_names_what_is_wrong(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(name, ', ' ORDER BY name) FROM pg_settings WHERE name = ANY(%s) AND setting = 'off'",
            [["fsync", "full_page_writes", "synchronous_commit"]],
        )
        (off,) = cursor.fetchone()
    response = client.get("/readyz")

    checks = response.json()["checks"]
    assert (checks["database"], checks["migrations"]) == ("ok", "ok")
    assert checks["durability"] == (f"{off} off" if off else "ok")
    assert response.status_code == (503 if off else 200)


@pytest.mark.django_db
def test_readiness_misses_a_migration(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM django_migrations WHERE app = 'jobs'"
            " AND name = (SELECT max(name) FROM django_migrations WHERE app = 'jobs')"
        )

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["checks"]["migrations"] == "1 missing"


def test_metrics_move_with_the_queue(client: Client, world: World) -> None:
    make_dead_letter(world.org)
    make_job(world.org)

    text = client.get("/metrics").content.decode()

    assert "smartqueue_queue_depth 1.0" in text
    assert "smartqueue_dlq_size 1.0" in text
    assert "acme" not in text


@pytest.mark.django_db
@override_settings(SECURE_SSL_REDIRECT=True)
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_who_asks_from_within_is_not_sent_to_tls(client: Client, path: str) -> None:
    assert client.get(path).status_code in (200, 503)
    assert client.get("/sign-in/").status_code == 301


@pytest.mark.django_db
def test_metrics_are_not_for_tenants(
    client: Client, world: World, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with override_settings(METRICS_TOKEN="s3cret"), django_assert_num_queries(0):
        assert client.get("/metrics").status_code == 404
        assert client.get("/metrics", HTTP_AUTHORIZATION="Bearer wrong").status_code == 404
    with override_settings(METRICS_TOKEN="s3cret"):
        assert client.get("/metrics", HTTP_AUTHORIZATION="Bearer s3cret").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="10.1.2.3").status_code == 404
