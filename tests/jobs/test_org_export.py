"""All that an organisation has, as one file: every table, every file, nothing of another and nothing that is secret."""

import io
import json
import zipfile
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from jobs.exports import archive, everything
from jobs.exports.archive import Archive, TooSlow
from jobs.exports.everything import CHILDREN, COLUMNS, FILES, LEFT_OUT_COLUMNS, LEFT_OUT_TABLES
from jobs.models import Artefact, Job, LogLine, ModelVersion
from orgs import vault
from orgs.models import ApiKey, AuditEntry, Invitation, Secret
from orgs.row_security import OTHERWISE, role_of, tables_of
from orgs.scope import find_scope
from tests.conftest import World
from tests.factories import api, browser, make_job, make_key
from tests.jobs.whole_org import counts, fill_org

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "/api/v1/orgs/acme/export/"


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def filled(world: World) -> World:
    fill_org(world.rival, world.outsider)
    fill_org(world.org, world.owner)
    make_job(world.rival)
    return world


def opened(response: Any) -> zipfile.ZipFile:
    assert response.status_code == 200, response
    return zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content)))


def taken(world: World) -> zipfile.ZipFile:
    return opened(api(world.owner).get(PATH))


def lines(whole: zipfile.ZipFile, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in whole.read(f"{name}.ndjson").splitlines()]


# --- complete -------------------------------------------------------------------------------------------------------


def test_every_table_of_the_catalogue_is_in_it_or_left_out_for_a_reason() -> None:
    found = tables_of(connection, role_of(connection))
    of_org = {table.name for table in found if table.of_org} | set(OTHERWISE)

    assert of_org == set(FILES) | set(LEFT_OUT_TABLES)
    assert not set(FILES) & set(LEFT_OUT_TABLES)
    assert set(CHILDREN) == {name for name in OTHERWISE if name not in {"orgs_org", "jobs_workerprocess"}}
    assert len(set(FILES.values())) == len(FILES)


def test_what_is_left_out_of_tables_is_there() -> None:
    with connection.cursor() as cursor:
        for table, column in LEFT_OUT_COLUMNS:
            cursor.execute(COLUMNS, [table])
            assert column in {name for name, _ in cursor.fetchall()}, (table, column)


def test_every_row_is_in_it_and_none_of_another(filled: World) -> None:
    expected = counts(filled.org.pk)
    # that it was taken is written down before
    expected["orgs_auditentry"] += 1

    whole = taken(filled)

    assert whole.testzip() is None
    assert {table: len(lines(whole, file)) for table, file in FILES.items()} == {
        table: rows for table, rows in expected.items() if table in FILES
    }
    assert not [name for name in whole.namelist() if b"rival" in whole.read(name)]


def test_behind_the_wall_a_question_that_forgets_the_organisation_finds_its_own(
    filled: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(everything, "OF_ORG", "%(org)s IS NOT NULL")

    whole = taken(filled)

    assert not [name for name in whole.namelist() if b"rival" in whole.read(name)]
    assert len(lines(whole, "jobs")) == Job.objects.filter(org=filled.org).count() < Job.objects.count()


def test_the_readme_says_what_is_in_it(filled: World) -> None:
    whole = taken(filled)

    about = json.loads(whole.read("README.json"))
    for name, told in about["tables"].items():
        assert told == {"rows": len(whole.read(name).splitlines()), "sha256": sha256(whole.read(name)).hexdigest()}
    assert set(about["tables"]) == {f"{file}.ndjson" for file in FILES.values()}
    assert about["organisation"] == "acme"
    assert about["artefacts"] == {"files": 2, "bytes": 2 * len("a file of acme"), "missing": [], "altered": []}
    assert whole.namelist()[-1] == "README.json"


def test_columns_are_as_they_are(filled: World) -> None:
    version = ModelVersion.objects.get(org=filled.org)
    job = Job.objects.filter(org=filled.org, status="done").get()

    whole = taken(filled)

    (model,) = lines(whole, "models")
    assert model["weights"] == b64encode(bytes(version.weights)).decode()
    (found,) = [one for one in lines(whole, "jobs") if one["id"] == str(job.pk)]
    assert found["created_at"] == job.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert (found["payload"], found["result"]) == (job.payload, 3)
    columns = {field.column for field in Job._meta.concrete_fields}
    assert set(found) == columns - {"fingerprint"}
    (member,) = [one for one in lines(whole, "members") if one["username"] == "owner"]
    assert member["role"] == "org_admin"


def test_files_are_in_it(filled: World) -> None:
    whole = taken(filled)

    for one in Artefact.objects.filter(org=filled.org):
        assert whole.read(f"artefacts/{one.pk}/file.txt") == b"a file of acme"


def test_files_that_are_not_kept_any_more_are_named(filled: World) -> None:
    gone, altered = Artefact.objects.filter(org=filled.org)
    Path(gone.file.path).unlink()
    Path(altered.file.path).write_bytes(b"else")

    about = json.loads(taken(filled).read("README.json"))

    assert (about["artefacts"]["missing"], about["artefacts"]["altered"]) == ([str(gone.pk)], [str(altered.pk)])


# --- and nothing that is secret -------------------------------------------------------------------------------------


def test_nothing_that_opens_anything_is_in_it(filled: World) -> None:
    vault.put("mailgun", "hunter-one", scope=find_scope(filled.owner, "acme"))
    token = make_key(filled.owner, filled.org)
    unlike = [
        "hunter-one", token, filled.owner.password, "hidden of acme",
        *ApiKey.objects.values_list("secret_sha256", flat=True),
        *Secret.objects.values_list("sealed", flat=True),
        *Invitation.objects.exclude(token_sha256="").values_list("token_sha256", flat=True),
    ]  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT secret FROM jobs_subscriber WHERE secret <> '' UNION ALL SELECT token::text FROM jobs_lease"
        )
        unlike += [text for (text,) in cursor.fetchall()]

    whole = taken(filled)

    assert len(unlike) >= 9
    everything = b"".join(whole.read(name) for name in whole.namelist())
    assert [text for text in unlike if len(text) > 5 and text.encode() in everything] == []
    assert "mailgun" in [one["name"] for one in lines(whole, "secrets")]
    assert "•••".encode() in whole.read("jobs.ndjson")


# --- who may, and how often -----------------------------------------------------------------------------------------


def test_it_is_for_org_admins_and_in_the_trail(filled: World) -> None:
    assert api(filled.operator).get(PATH).status_code == 403
    assert api(filled.outsider).get(PATH).status_code == 404
    assert not AuditEntry.objects.filter(action="org.export").exists()

    taken(filled)

    entry = AuditEntry.objects.get(action="org.export")
    assert (entry.actor_name, entry.target, entry.org_id) == ("owner", "acme", filled.org.pk)


def test_it_is_asked_for_seldom(filled: World, settings: Any) -> None:
    settings.ORG_EXPORT_RATE = (2, 3600, 2)
    client = api(filled.owner)

    assert [client.get(PATH).status_code for _ in range(3)] == [200, 200, 429]
    assert api(filled.outsider).get("/api/v1/orgs/rival/export/").status_code == 200
    assert AuditEntry.objects.filter(action="org.export", org=filled.org).count() == 2


def test_the_page_of_the_organisation_leads_to_it(filled: World) -> None:
    page = browser(filled.owner).get("/settings/").content.decode()
    assert 'href="/organisation/export/"' in page
    assert "/organisation/export/" not in browser(filled.operator).get("/settings/").content.decode()

    assert opened(browser(filled.owner).get("/organisation/export/")).testzip() is None


# --- one moment, in bounded memory ----------------------------------------------------------------------------------


def test_it_is_of_one_moment(filled: World) -> None:
    jobs = Job.objects.filter(org=filled.org).count()
    pieces = Archive(filled.org)
    pieces.out.taken()
    steps = pieces.pieces()
    archive.PIECE_BYTES, kept = 1, archive.PIECE_BYTES
    try:
        begun = next(steps)
        make_job(filled.org)
        whole = zipfile.ZipFile(io.BytesIO(begun + b"".join(steps)))
    finally:
        archive.PIECE_BYTES = kept

    assert len(lines(whole, "jobs")) == jobs


def test_rows_are_handed_on_while_others_are_read(world: World) -> None:
    job = make_job(world.org)
    text = [sha256(str(number).encode()).hexdigest() * 10 for number in range(20_000)]
    LogLine.objects.bulk_create(
        LogLine(job_id=job.pk, attempt=1, sequence=number, stream="log", text=line, at=job.created_at)
        for number, line in enumerate(text)
    )

    sizes = [len(piece) for piece in Archive(world.org).pieces()]

    assert sum(sizes) > 500_000
    assert max(sizes) < 3 * archive.PIECE_BYTES


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the cursor died with its session
def test_a_reader_who_stops_is_cut_off_by_the_server(world: World, settings: Any) -> None:
    settings.IDLE_TRANSACTION_SECONDS = 0.2
    for _ in range(3):
        make_job(world.org)
    archive.PIECE_BYTES, kept = 1, archive.PIECE_BYTES
    try:
        steps = Archive(world.org).pieces()
        next(steps)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(1)")
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            list(steps)
    finally:
        archive.PIECE_BYTES = kept


def test_a_reader_who_is_too_slow_is_cut_off(world: World, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ORG_EXPORT_SECONDS = 0
    monkeypatch.setattr(archive, "PIECE_BYTES", 1)

    with pytest.raises(TooSlow):
        list(Archive(world.org).pieces())


# --- the command ----------------------------------------------------------------------------------------------------


def test_the_command_writes_the_same(filled: World, tmp_path: Path) -> None:
    target = tmp_path / "acme.zip"

    call_command("export_org", "acme", str(target))

    assert set(zipfile.ZipFile(target).namelist()) == set(taken(filled).namelist())
    assert AuditEntry.objects.filter(action="org.export", actor_name="").count() == 1


def test_the_command_overwrites_nothing_and_leaves_no_half(
    filled: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "acme.zip"
    with pytest.raises(CommandError, match="no organisation"):
        call_command("export_org", "nobody", str(target))

    monkeypatch.setattr(Archive, "readme", lambda self, at: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        call_command("export_org", "acme", str(target))
    assert not target.exists()

    target.write_text("mine")
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("export_org", "acme", str(target))
    assert target.read_text() == "mine"
