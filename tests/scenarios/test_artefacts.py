"""Files through a real web server and a real worker: large, in chunks, cut off, and through the job types."""

import hashlib
import http.client
import json
import os
import socket
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
import urllib3

from jobs.models import Artefact, Job
from orgs.roles import Role
from orgs.tokens import give_tokens
from tests.factories import make_member, make_org
from tests.jobs.handlers.server import Server, serving
from tests.processes import Fleet, patiently
from tests.proofs import figure

MEGABYTE = 1_000_000


@pytest.fixture
def media(tmp_path: Path) -> Path:
    return tmp_path / "media"


class Client:
    def __init__(self, fleet: Fleet, media: Path, **environ: str) -> None:
        fleet.environ |= {"SMARTQUEUE_MEDIA_ROOT": str(media), "SMARTQUEUE_WORK_ROOT": f"{media}-work", **environ}
        self.url = fleet.web()
        self.media = media
        org = make_org("acme")
        self.token = str(give_tokens(make_member(org, Role.OPERATOR)).access_token)
        self.pool = urllib3.PoolManager(retries=False, timeout=120)
        patiently(lambda: self.alive())

    def alive(self) -> bool:
        try:
            return self.pool.request("GET", f"{self.url}/healthz").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> urllib3.BaseHTTPResponse:
        return self.pool.request(method, f"{self.url}{path}", body=body, headers={**self.headers, **headers})

    def submit(self, **job: Any) -> str:
        reply = self.ask("POST", "/api/v1/jobs/", json.dumps(job), **{"Content-Type": "application/json"})
        assert reply.status == 201, reply.data
        return str(reply.json()["id"])

    def stored(self) -> list[Path]:
        return [path for path in self.media.rglob("*") if path.is_file()]

    def raw(self) -> socket.socket:
        parts = urlsplit(self.url)
        return socket.create_connection((parts.hostname or "", parts.port or 0), 30)


def pieces(count: int) -> Iterator[bytes]:
    for number in range(count):
        yield bytes([number % 256]) * MEGABYTE


def test_a_large_file_passes_through_without_being_held(fleet: Fleet, media: Path) -> None:
    """In chunks; the memory of the web's processes does not grow with it."""
    client = Client(fleet, media)
    web = psutil.Process(fleet.processes[0].pid)
    assert client.ask("POST", "/api/v1/artefacts/?name=warm", b"x", **{"Content-Type": "a/b"}).status == 201
    before = resident(web)
    digest = hashlib.sha256()
    for piece in pieces(300):
        digest.update(piece)

    reply = client.ask("POST", "/api/v1/artefacts/?name=big.bin", pieces(300), **{"Content-Type": "a/b"})

    assert reply.status == 201, reply.data
    told = reply.json()
    assert (told["size_bytes"], told["sha256"]) == (300 * MEGABYTE, digest.hexdigest())
    grown = (resident(web) - before) / MEGABYTE
    figure("a file of 300 MB is sent", megabytes_more_in_the_web=round(grown, 1))
    assert grown < 60
    back = client.pool.request("GET", f"{client.url}{told['url']}", headers=client.headers, preload_content=False)
    again = hashlib.sha256()
    for piece in back.stream(MEGABYTE):
        again.update(piece)
    assert again.hexdigest() == digest.hexdigest()
    part = client.ask("GET", told["url"], Range=f"bytes={150 * MEGABYTE - 1}-{150 * MEGABYTE}")
    assert (part.status, part.data) == (206, bytes([149, 150]))


def resident(web: psutil.Process) -> int:
    return sum(process.memory_info().rss for process in [web, *web.children(recursive=True)])


def test_a_sender_that_goes_away_leaves_nothing(fleet: Fleet, media: Path) -> None:
    client = Client(fleet, media)
    start = f"POST /api/v1/artefacts/?name=x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.token}\r\n"
    host = urlsplit(client.url).netloc
    start = start.replace("Host: x", f"Host: {host}")
    for rest, body in [
        ("Content-Length: 5000000\r\n\r\n", b"x" * 2 * MEGABYTE),
        ("Transfer-Encoding: chunked\r\n\r\n", b"1e8480\r\n" + b"x" * 2 * MEGABYTE + b"\r\n"),
        ("Transfer-Encoding: chunked\r\n\r\n", b"1e8480\r\n" + b"x" * MEGABYTE),
        ("Transfer-Encoding: chunked\r\n\r\n", b"5\r\nhello\r\nnonsense\r\n"),
    ]:
        with client.raw() as line:
            line.sendall((start + rest).encode() + body)
            line.shutdown(socket.SHUT_WR)
            line.settimeout(30)
            answer = line.recv(1_000)
        assert not answer or b" 400 " in answer.split(b"\r\n")[0], answer

    patiently(lambda: client.stored() == [])
    assert not Artefact.objects.exists()
    assert client.ask("POST", "/api/v1/artefacts/?name=x", b"whole", **{"Content-Type": "a/b"}).status == 201


def test_what_is_announced_as_too_large_is_refused_before_it_is_read(fleet: Fleet, media: Path) -> None:
    client = Client(fleet, media, SMARTQUEUE_ARTEFACT_FILE_MAX_BYTES="1000000")
    connection = http.client.HTTPConnection(urlsplit(client.url).netloc, timeout=30)
    connection.putrequest("POST", "/api/v1/artefacts/")
    for name, value in {**client.headers, "Content-Length": "1000001", "Content-Type": "a/b"}.items():
        connection.putheader(name, value)
    connection.endheaders()

    reply = connection.getresponse()

    assert reply.status == 413
    assert json.loads(reply.read())["type"] == "urn:smartqueue:problem:body_too_large"
    connection.close()
    chunked = client.ask("POST", "/api/v1/artefacts/", pieces(2), **{"Content-Type": "a/b"})
    assert chunked.status == 413
    assert client.stored() == []


@pytest.fixture
def upstream() -> Iterator[Server]:
    with serving() as server:
        yield server


def test_a_file_goes_through_a_chain_of_jobs_and_another_program_opens_it(
    fleet: Fleet, media: Path, upstream: Server, tmp_path: Path
) -> None:
    """Fetched by one http job, sent on by the next, downloaded by a link."""
    client = Client(fleet, media, SMARTQUEUE_HTTP_ALLOW_HOSTS=upstream.authority)
    fleet.workers(1)
    with zipfile.ZipFile(tmp_path / "out.zip", "w") as made:
        made.writestr("table.csv", "a,b\n1,2\n" * 10_000)
    data = (tmp_path / "out.zip").read_bytes()
    url, into = upstream.on("/out.zip", body=data, headers={"Content-Type": "application/zip"}), upstream.on("/in", 201)

    first = client.submit(type="http", payload={"url": url, "save_as": "out.zip"})
    patiently(lambda: Job.objects.get(pk=first).status == "done")
    kept = client.ask("GET", f"/api/v1/jobs/{first}/artefacts/").json()["items"][0]
    second = client.submit(type="http", payload={"url": into, "method": "PUT", "body_artefact": kept["id"]})
    patiently(lambda: Job.objects.get(pk=second).status == "done")

    link = client.ask(
        "POST", f"/api/v1/artefacts/{kept['id']}/links/", "{}", **{"Content-Type": "application/json"}
    ).json()["url"]
    (tmp_path / "back.zip").write_bytes(client.pool.request("GET", link).data)
    with zipfile.ZipFile(tmp_path / "back.zip") as back:
        assert back.testzip() is None
        assert back.read("table.csv") == b"a,b\n1,2\n" * 10_000
    checked = subprocess.run(["sha256sum", str(tmp_path / "back.zip")], capture_output=True, text=True, check=True)
    assert checked.stdout.split()[0] == kept["sha256"] == hashlib.sha256(upstream.asked[1].body).hexdigest()
    assert upstream.asked[1].headers["Content-Type"] == "application/zip"
    assert os.listdir(f"{media}-work") == []
