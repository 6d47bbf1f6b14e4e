"""image-resize and email jobs sent over REST and run by a real worker; what they leave is opened by other programs."""

import base64
import os
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from jobs.files import store
from jobs.models import Artefact, Job, Lease
from orgs.models import Org
from tests.__main__ import INSTALL, find_browser
from tests.factories import make_org
from tests.jobs.handlers.mailbox import Mailbox, taking_mail
from tests.jobs.handlers.pictures import dimensions, encoded, mime_type, picture, png
from tests.jobs.queue.whole import assert_whole
from tests.processes import Fleet, patiently
from tests.proofs import figure
from tests.scenarios.rest import Rest
from tests.scenarios.test_isolated import below

PICTURE = encoded(picture((1_200, 800)), "JPEG", quality=95)


def sent_by_somebody(org: Org, data: bytes, name: str, folder: Path) -> str:
    """An artefact of the organisation that no job made; its id."""
    path = folder / name
    path.write_bytes(data)
    with path.open("rb") as source:
        stored = store(org.pk, source, max_bytes=100_000_000)
    artefact = Artefact.objects.create(
        org=org,
        name=name,
        content_type="application/octet-stream",
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
        file=stored.name,
    )
    return str(artefact.pk)


def ended(job_id: str) -> Job:
    patiently(lambda: Job.objects.filter(pk=job_id, status__in=["done", "failed", "cancelled"]).exists())
    return Job.objects.get(pk=job_id)


def submitted(rest: Rest, type: str, payload: dict[str, Any], **fields: Any) -> str:
    answer = rest.post("jobs/", {"type": type, "payload": payload, **fields})
    assert answer.status == 201, answer
    return str(answer.body["id"])


def download(rest: Rest, job_id: str, artefact_id: str) -> bytes:
    reply = rest.pool.request(
        "GET", f"{rest.url}/api/v1/jobs/{job_id}/artefacts/{artefact_id}/", headers=rest.headers, redirect=True
    )
    assert reply.status == 200, reply.data
    return reply.data


def seen_by_a_browser(data: bytes, type: str) -> tuple[int, int, list[int], list[int]]:
    """Width, height, and the colours of a place on the left and one on the right, as Chromium decodes them."""
    script = """async (url) => {
        const image = new Image();
        image.src = url;
        await image.decode();
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
        const context = canvas.getContext("2d");
        context.drawImage(image, 0, 0);
        const at = (part) => [...context.getImageData(canvas.width * part, canvas.height / 2, 1, 1).data];
        return [canvas.width, canvas.height, at(0.25), at(0.75)];
    }"""
    arguments = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=arguments)
        page = browser.new_page()
        found = page.evaluate(script, f"data:{type};base64,{base64.b64encode(data).decode()}")
        browser.close()
    return tuple(found)


def near(found: list[int], wanted: tuple[int, ...]) -> bool:
    return all(abs(one - other) < 20 for one, other in zip(found, wanted, strict=False))


@pytest.mark.skipif(find_browser() is None, reason=f"NO CHROMIUM on the PATH to look at the images. {INSTALL}")
def test_an_image_becomes_others_that_a_browser_shows(fleet: Fleet, tmp_path: Path) -> None:
    org = make_org("acme")
    source = sent_by_somebody(org, PICTURE, "Holiday.jpg", tmp_path)
    foreign = sent_by_somebody(make_org("rival"), PICTURE, "Secret.jpg", tmp_path)
    rest = Rest(fleet, org)
    (worker,) = fleet.workers(1, SMARTQUEUE_CHILD_SANDBOX="required")
    sizes = [{"name": "thumb", "width": 200, "height": 200}, {"name": "wide", "width": 900}]

    jobs = {
        format: submitted(
            rest, "image-resize", {"image": {"artefact": source}, "fit": "cover", "sizes": sizes, "format": format}
        )
        for format in ("jpeg", "png", "webp", "avif")
    }
    bomb = submitted(
        rest, "image-resize", {"image": {"artefact": sent_by_somebody(org, png(13_000, 13_000), "b.png", tmp_path)}}
    )
    others = submitted(rest, "image-resize", {"image": {"artefact": foreign}})

    for format, job_id in jobs.items():
        job = ended(job_id)
        assert job.status == "done", (job.error_type, job.error)
        assert [one["file"].partition(".")[0] for one in job.result["outputs"]] == ["Holiday-thumb", "Holiday-wide"]
        for told, size in zip(job.result["outputs"], [(200, 200), (900, 600)], strict=True):
            data = download(rest, job_id, told["artefact"])
            assert dimensions(data) == (format, *size)
            assert mime_type(data) in ("", f"image/{format}")
            width, height, left, right = seen_by_a_browser(data, f"image/{format}")
            assert (width, height) == size
            assert near(left, (255, 0, 0))
            assert near(right, (0, 0, 255))
    refused, nobody = ended(bomb), ended(others)
    assert (refused.status, refused.error_type, refused.attempt) == ("failed", "ImageRefused", 1)
    assert (nobody.status, nobody.error_type, nobody.attempt) == ("failed", "PermanentFailure", 1)
    patiently(lambda: below(worker) == [])
    assert worker.running
    assert_whole()


def test_an_image_job_is_cancelled_within_two_seconds(fleet: Fleet, tmp_path: Path) -> None:
    org = make_org("acme")
    large = encoded(picture((4_000, 3_000)), "JPEG")
    source = sent_by_somebody(org, large, "large.jpg", tmp_path)
    rest = Rest(fleet, org)
    (worker,) = fleet.workers(1, SMARTQUEUE_CHILD_SANDBOX="required")
    sizes = [{"name": f"n{number}", "width": 3_500 + number} for number in range(20)]
    payload = {"image": {"artefact": source}, "sizes": sizes, "format": "avif", "quality": 100}
    job_id = submitted(rest, "image-resize", payload)
    patiently(lambda: Lease.objects.filter(job_id=job_id, progress__gte=0.2).exists())
    assert len(below(worker)) >= 2

    rest.post(f"jobs/{job_id}/cancellation/", {})
    began = time.monotonic()
    patiently(lambda: below(worker) == [])
    took = time.monotonic() - began

    figure("image-resize, cancelled over REST", seconds_until_nothing_runs=round(took, 2))
    assert took < 2
    assert ended(job_id).status == "cancelled"


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with taking_mail() as one:
        yield one


def test_a_message_with_the_image_that_a_job_made_arrives(fleet: Fleet, box: Mailbox, tmp_path: Path) -> None:
    org = make_org("acme", job_settings={"mail_from": "Acme <jobs@acme.example>"})
    source = sent_by_somebody(org, PICTURE, "Holiday.jpg", tmp_path)
    rest = Rest(fleet, org)
    fleet.scheduler()
    fleet.workers(1, SMARTQUEUE_EMAIL_URL=f"smtp://127.0.0.1:{box.port}", SMARTQUEUE_EMAIL_FROM="jobs@platform.example")
    made = ended(submitted(rest, "image-resize", {"image": {"artefact": source}, "width": 64, "format": "png"}))
    artefact = made.result["outputs"][0]["artefact"]
    # the first time it is told to come back later
    box.replies["DATA"] = "451 Later"
    job_id = submitted(
        rest,
        "email",
        {
            "to": ["Žofie <zofie@bücher.example>"],
            "subject": "Your holiday {{settings.SECRET_KEY}}",
            "text": "See what is attached.\n",
            "attachments": [{"artefact": artefact, "name": "Urlaub – Größe S.png"}],
        },
    )
    patiently(lambda: len(box.asked) == 1)
    del box.replies["DATA"]

    job = ended(job_id)

    assert (job.status, job.attempt) == ("done", 2), (job.error_type, job.error)
    (taken,) = box.taken
    message = taken.message
    assert (taken.sender, taken.recipients) == ("jobs@acme.example", ["zofie@xn--bcher-kva.example"])
    assert message["Subject"] == "Your holiday {{settings.SECRET_KEY}}"
    assert message["Message-ID"] == f"<{job_id}@acme.example>"
    assert message["X-Correlation-ID"] == job.correlation_id
    (part,) = message.iter_attachments()
    data = part.get_payload(decode=True)
    assert isinstance(data, bytes)
    assert part.get_filename() == "Urlaub – Größe S.png"
    assert data == download(rest, str(made.pk), artefact)
    assert struct.unpack(">II", data[16:24]) == (64, 43)
    assert_whole()


def test_a_message_to_a_server_that_hangs_is_cancelled_within_two_seconds(fleet: Fleet) -> None:
    org = make_org("acme")
    rest = Rest(fleet, org)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"smtp://127.0.0.1:{silent.getsockname()[1]}"
        fleet.workers(1, SMARTQUEUE_EMAIL_URL=address, SMARTQUEUE_EMAIL_FROM="jobs@platform.example")
        job_id = submitted(rest, "email", {"to": ["ada@example.com"], "subject": "x", "text": "y"})
        silent.settimeout(60)
        connection, _ = silent.accept()
        with connection:
            rest.post(f"jobs/{job_id}/cancellation/", {})
            connection.settimeout(2.5)
            # the end of the stream: the worker has let go
            assert connection.recv(1_000) == b""

        assert ended(job_id).status == "cancelled"
