"""Which other origins may call the API from a browser."""

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

FRIEND = "https://board.example"


def preflight(origin: str, headers: str) -> dict[str, str]:
    response = Client().options(
        "/api/v1/jobs/",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": headers,
        },
    )
    return {name.lower(): value for name, value in response.headers.items()}


@pytest.mark.parametrize(
    "header", ["authorization", "content-type", "idempotency-key", "x-org", "x-correlation-id", "if-none-match"]
)
def test_a_named_origin_may_send_every_header_that_the_api_reads(settings: Settings, header: str) -> None:
    settings.CORS_ALLOWED_ORIGINS = [FRIEND]

    answer = preflight(FRIEND, header)

    assert answer["access-control-allow-origin"] == FRIEND
    assert header in answer["access-control-allow-headers"].split(", ")
    assert "access-control-allow-credentials" not in answer


def test_other_origins_may_not_call_it(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = [FRIEND]

    assert "access-control-allow-origin" not in preflight("https://evil.example", "authorization")


@pytest.mark.django_db
def test_a_named_origin_may_read_the_headers_that_the_api_answers(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = [FRIEND]

    shown = Client().get("/api/v1/jobs/", headers={"Origin": FRIEND})["Access-Control-Expose-Headers"].split(", ")

    assert {"X-Correlation-ID", "Location", "Link", "ETag", "Retry-After", "Idempotent-Replayed"} <= set(shown)
