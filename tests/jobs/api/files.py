"""What the tests of files over REST share."""

from pathlib import Path

from django.http import HttpResponse
from django.http.response import HttpResponseBase

from jobs.models import Artefact
from tests.conftest import World
from tests.factories import api

ARTEFACTS = "/api/v1/artefacts/"
DATA = bytes(range(256)) * 40


def post(world: World, data: bytes = DATA, query: str = "?name=data.bin", **headers: str) -> HttpResponse:
    kind = headers.pop("content_type", "text/csv")
    client = api(world.operator)
    found: HttpResponse = client.generic("POST", f"{ARTEFACTS}{query}", data, content_type=kind, headers=headers)
    return found


def sent(world: World, data: bytes = DATA, name: str = "data.bin", kind: str = "text/csv") -> Artefact:
    response = post(world, data, f"?name={name}", content_type=kind)
    assert response.status_code == 201, response.content
    return Artefact.objects.get(pk=response.json()["id"])


def stored(storage: Path) -> list[Path]:
    return [path for path in storage.rglob("*") if path.is_file()]


def content(response: HttpResponseBase) -> bytes:
    return b"".join(response)


def get(world: World, artefact: Artefact, **headers: str) -> HttpResponse:
    found: HttpResponse = api(world.viewer).get(f"{ARTEFACTS}{artefact.pk}/content/", headers=headers)
    return found
