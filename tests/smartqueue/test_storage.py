"""Artefacts in S3: sent there, read by jobs from there, handed out by the store itself."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import default_storage
from pytest_django.fixtures import Settings

from jobs.files import TooLarge, copy_out, store
from jobs.models import Artefact
from jobs.processes.reporting import AttemptReporter
from jobs.queue.erase import Eraser
from jobs.queue.upkeep import Orphans
from smartqueue import storage
from smartqueue.storage import artefact_storage
from tests.conftest import World
from tests.factories import api, browser, claim_all, make_job
from tests.jobs.queue.erasing import due, erase_all
from tests.smartqueue.fake_s3 import KEY, SECRET, Bucket, serving_s3
from tests.smartqueue.test_settings import SECRETS, start

MEGABYTE = 1_000_000


@pytest.fixture
def bucket(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """Where artefacts are kept meanwhile."""
    pytest.importorskip("storages", reason="NOT TESTED: the extra requirements-s3.txt is not installed")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with serving_s3() as found:
        address = f"s3://artefacts?endpoint={found.url}&region=eu-central-1"
        settings.STORAGES = {**settings.STORAGES, "default": artefact_storage(address)}
        settings.ARTEFACTS_IN_S3 = True
        yield found
        default_storage.connection.meta.client.close()


def methods(bucket: Bucket) -> list[str]:
    return [method for method, _, _ in bucket.asked]


def send(world: World, data: bytes) -> Artefact:
    response = api(world.operator).generic("POST", "/api/v1/artefacts/?name=in.csv", data, content_type="text/csv")
    assert response.status_code == 201, response.content
    return Artefact.objects.get(pk=response.json()["id"])


@pytest.mark.django_db
def test_a_file_is_sent_there_and_handed_out_by_the_store(world: World, bucket: Bucket) -> None:
    artefact = send(world, b"a,b\n1,2\n")

    assert bucket.objects == {f"/artefacts/{artefact.file.name}": b"a,b\n1,2\n"}
    assert artefact.sha256 == hashlib.sha256(b"a,b\n1,2\n").hexdigest()
    # none to ask whether the name is taken
    assert methods(bucket) == ["PUT"]
    link = api(world.operator).post(f"/api/v1/artefacts/{artefact.pk}/links/", {}).json()["url"]
    for response in (
        api(world.viewer).get(f"/api/v1/artefacts/{artefact.pk}/content/"),
        browser(world.viewer).get(f"/artefacts/{artefact.pk}/content/"),
        browser().get(urlsplit(link).path),
    ):
        assert response.status_code == 302
        assert response["Cache-Control"].startswith("private")
        with urllib3.PoolManager() as pool:
            handed = pool.request("GET", response["Location"])
        assert handed.data == b"a,b\n1,2\n"
        assert handed.headers["Content-Disposition"] == 'attachment; filename="in.csv"'
        assert handed.headers["Content-Type"] == "text/csv"
        assert bucket.asked[-1][2]["X-Amz-Expires"] == "60"


@pytest.mark.django_db
def test_a_job_reads_one_from_there_and_leaves_one_there(world: World, bucket: Bucket, tmp_path: Path) -> None:
    artefact = send(world, b"in" * MEGABYTE)
    make_job(world.org)
    (claimed,) = claim_all()
    reporter = AttemptReporter(claimed)

    given = reporter.copy_artefact(str(artefact.pk), tmp_path / "in")
    (tmp_path / "out").write_bytes(given.path.read_bytes()[::-1])
    made = Artefact.objects.get(pk=reporter.artefact_file("out.bin", tmp_path / "out", "application/octet-stream"))

    assert bucket.objects[f"/artefacts/{made.file.name}"] == b"ni" * MEGABYTE
    copy_out(made, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"ni" * MEGABYTE


@pytest.mark.django_db
def test_a_large_file_goes_in_parts(world: World, bucket: Bucket) -> None:
    data = bytes(range(250)) * 4_000 * 20

    artefact = send(world, data)

    assert bucket.objects[f"/artefacts/{artefact.file.name}"] == data
    assert artefact.sha256 == hashlib.sha256(data).hexdigest()
    assert artefact.size_bytes == len(data)
    assert methods(bucket).count("PUT") == 3
    assert bucket.parts == {}


@pytest.mark.parametrize("size", [MEGABYTE, 20 * MEGABYTE])
def test_of_what_is_too_large_nothing_is_left(bucket: Bucket, tmp_path: Path, size: int) -> None:
    (tmp_path / "large").write_bytes(b"x" * size)

    with (tmp_path / "large").open("rb") as source, pytest.raises(TooLarge):
        store(1, source, max_bytes=size - 1)

    assert bucket.objects == bucket.parts == {}


@pytest.mark.django_db
def test_a_deleted_file_is_deleted_there(world: World, bucket: Bucket, django_capture_on_commit_callbacks: Any) -> None:
    artefact = send(world, b"x")

    with django_capture_on_commit_callbacks(execute=True):
        assert api(world.operator).delete(f"/api/v1/artefacts/{artefact.pk}/").status_code == 204

    assert bucket.objects == {}


@pytest.mark.django_db
def test_what_is_gone_there_is_told_as_gone(world: World, bucket: Bucket, tmp_path: Path) -> None:
    artefact = send(world, b"x")
    bucket.objects.clear()

    with pytest.raises(FileNotFoundError):
        copy_out(artefact, tmp_path / "back")


@pytest.mark.django_db
def test_the_sweep_of_the_folder_leaves_it_alone(bucket: Bucket, django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        assert not Orphans()()
    assert bucket.asked == []


# --- the setting ----------------------------------------------------------------------------------------------------


def test_nothing_set_is_the_folder() -> None:
    assert artefact_storage("")["BACKEND"] == "django.core.files.storage.FileSystemStorage"


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("s3:///x", "expected s3://bucket"),
        ("gs://bucket", "expected s3://bucket"),
        ("/var/media", "expected s3://bucket"),
        ("s3://bucket/folder", "expected s3://bucket"),
        ("s3://UPPER", "expected s3://bucket"),
        ("s3://bucket?endpont=http://x", "endpont is not known"),
        ("s3://bucket?endpoint=minio:9000", "http:// or https://"),
        ("s3://bucket?style=odd", "style is one of"),
    ],
)
def test_a_wrong_address_is_named(address: str, word: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="SMARTQUEUE_STORAGE=") as told:
        artefact_storage(address)
    assert word in str(told.value)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "find_spec", lambda name: None if name == "storages" else object())

    with pytest.raises(ImproperlyConfigured, match=r"pip install -r requirements-s3\.txt"):
        artefact_storage("s3://bucket")


def test_a_deployment_with_a_wrong_address_does_not_start() -> None:
    assert "SMARTQUEUE_STORAGE='ftp://x': expected s3://bucket" in start(**SECRETS, SMARTQUEUE_STORAGE="ftp://x").stderr


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("may_list", [True, False])
def test_of_an_organisation_that_is_erased_no_file_stays(world: World, bucket: Bucket, may_list: bool) -> None:
    bucket.may_list = may_list
    sent = send(world, b"in")
    theirs, without_row = f"/artefacts/{world.rival.pk}/{'0' * 32}", f"/artefacts/{world.org.pk}/{'0' * 32}"
    bucket.objects |= {theirs: b"x", without_row: b"x"}
    assert f"/artefacts/{sent.file.name}" in bucket.objects
    due(world.org)

    erase_all(Eraser(settle_seconds=0))

    assert set(bucket.objects) == ({theirs} if may_list else {theirs, without_row})
