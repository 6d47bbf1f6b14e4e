"""data-export: what is in the files."""

import gzip
import hashlib
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from jobs.models import Artefact, Job, LogLine
from jobs.states import Outcome
from tests.conftest import World
from tests.factories import claim_all, finish_one, make_dead_letter, make_done, make_job
from tests.jobs.handlers.exports import export, export_attempt, fill, kept_bytes, run

pytestmark = pytest.mark.django_db(transaction=True)

HOSTILE = [
    *("=cmd|' /C calc'!A0", "@SUM(1)", "+1", "-1", "\t=1", "\r\n=1", "\n@x", " =1", "\u3000=1", "\ufeff=1"),
    *("＝1", "＋1", "－1", "＠x", "﹢1", "﹣1", "﹦1", "﹫x"),
]
PLAIN = ['"\r\n=1', 'say "hi", he said', "a;=1", "it's", "ünïcode ☃ 😀", "<script>alert(1)</script>", "5", "a\rb"]


@pytest.fixture(autouse=True)
def folders(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT, settings.WORK_ROOT = str(tmp_path / "kept"), str(tmp_path / "work")


def titled(world: World, titles: list[str]) -> None:
    """A job for each, in this order; stored behind the checks, which refuse some."""
    for title in titles:
        job = make_job(world.org, queue="titles")
        Job.objects.filter(pk=job.pk).update(title=title)


def test_no_cell_is_a_formula_and_every_other_cell_is_as_it_was(world: World) -> None:
    titled(world, [*HOSTILE, *PLAIN])

    found = export(world.org, columns=["title"], filter={"queue": "titles"}, order="created")

    assert [row["title"] for row in found.table] == [*(f"'{text}" for text in HOSTILE), *PLAIN]
    assert found.data.count(b"\r\n") >= len(HOSTILE) + len(PLAIN) + 1


def test_numbers_stay_numbers_and_text_like_them_does_not(world: World) -> None:
    job = make_job(world.org, title="-5")
    (claimed,) = claim_all()
    assert finish_one(claimed, Outcome.DONE, result=-5)
    Job.objects.filter(pk=job.pk).update(runtime_ms=-0.25)

    (row,) = export(world.org, columns=["title", "result", "runtime_ms", "payload"], filter={"job": str(job.pk)}).table

    assert (row["title"], row["result"], row["runtime_ms"]) == ("'-5", "-5", "-0.25")
    assert json.loads(row["payload"]) == job.payload


def test_json_is_exact(world: World) -> None:
    big = 12345678901234567890123456789
    job = make_job(world.org, payload={"task": "demo.add", "kwargs": {"a": big, "b": 2}}, title="=1")
    (claimed,) = claim_all()
    result = {"big": -big, "small": 1e-300, "text": 'ü\u2028\\"', "list": [None, True, {"a": 0.1}]}
    assert finish_one(claimed, Outcome.DONE, result=result)
    job.refresh_from_db()
    columns = ["title", "payload", "result", "created_at", "model_version"]

    for kind in ("json", "ndjson"):
        (found,) = [
            json.loads(line.rstrip(","))
            for line in export(world.org, columns=columns, format=kind, filter={"job": str(job.pk)})
            .data.decode()
            .split("\n")
            if line not in ("[", "]", "")
        ]
        assert found["payload"]["kwargs"]["a"] == big
        assert found["result"] == result
        assert found["title"] == "=1"
        assert found["model_version"] is None
        assert found["created_at"].endswith("Z")
        assert datetime.fromisoformat(found["created_at"]) == job.created_at


def test_the_result_tells_what_the_file_is(world: World) -> None:
    fill(world.org, world.owner, "ours")
    before = datetime.now(UTC)

    found = export(world.org, gzip=True, columns=["id", "name"], order="name")

    kept = Artefact.objects.get(pk=found.result["artefact"])
    assert (kept.name, kept.content_type, kept.attempt) == ("jobs.csv.gz", "application/gzip", 1)
    assert found.result["bytes"] == len(found.data) == kept.size_bytes
    assert found.result["sha256"] == hashlib.sha256(found.data).hexdigest() == kept.sha256
    assert found.result["columns"] == ["id", "name"]
    # its own job is one of them
    assert (found.result["rows"], found.result["truncated"]) == (3, False)
    assert abs(datetime.fromisoformat(found.result["snapshot_at"]) - before) < timedelta(minutes=1)
    checked = subprocess.run(["gzip", "-t"], input=found.data, check=False, capture_output=True)
    assert (checked.returncode, checked.stderr) == (0, b"")
    assert [line.split(b",")[1] for line in gzip.decompress(found.data).splitlines()[1:]] == [
        *(b"data-export", b"ours-a", b"ours-b")
    ]


def test_an_empty_export_is_a_file_too(world: World) -> None:
    nothing = {"filter": {"queue": "none-such"}, "columns": ["id", "title"]}

    assert export(world.org, **nothing).data == b"id,title\r\n"
    assert export(world.org, **nothing, bom=True).data == b"\xef\xbb\xbfid,title\r\n"
    assert export(world.org, **nothing, format="ndjson").data == b""
    assert export(world.org, **nothing, format="json").objects == []
    assert gzip.decompress(export(world.org, **nothing, format="ndjson", gzip=True).data) == b""


def test_order_and_limit_are_kept_and_told(world: World) -> None:
    for name in ("b", "c", "a"):
        make_job(world.org, name=name, queue="named")
    named = {"filter": {"queue": "named"}, "columns": ["name"]}

    def names(**more: Any) -> tuple[list[str], bool]:
        found = export(world.org, **named, **more)
        return [row["name"] for row in found.table], found.result["truncated"]

    assert names(order="name") == (["a", "b", "c"], False)
    assert names(order="-name", limit=2) == (["c", "b"], True)
    assert names(order="created", limit=3) == (["b", "c", "a"], False)
    assert names() == (["a", "c", "b"], False)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"status": ["failed"]}, {"dead"}),
        ({"status": ["failed", "done"]}, {"dead", "done"}),
        ({"status": ["running"]}, {"data-export"}),
        ({"queue": "reports"}, {"dead"}),
        ({"type": "python", "q": "orders"}, {"dead"}),
        ({"urgency": "low"}, {"done"}),
        ({"category": "Network"}, {"done"}),
        ({"creator": "Operator"}, {"dead"}),
        ({"name": "done"}, {"done"}),
        ({"error_type": "ValueError"}, {"dead"}),
        ({"created_after": "2199-01-01T00:00:00Z"}, set()),
        ({"created_before": "2020-01-01T00:00:00+02:00"}, set()),
        ({"created_after": "2020-01-01T00:00:00Z", "status": ["done"]}, {"done"}),
    ],
)
def test_filters_narrow_as_those_of_the_list_do(world: World, given: dict[str, Any], expected: set[str]) -> None:
    make_dead_letter(world.org, user=world.operator, name="dead", title="orders", queue="reports")
    make_done(world.org, name="done", urgency="low", category="Network")

    found = export(world.org, world.owner, filter=given)

    assert {row["name"] for row in found.table} == expected


def test_rows_of_jobs_are_chosen_by_their_jobs(world: World) -> None:
    dead = fill(world.org, world.owner, "ours")
    make_done(world.org, name="another")
    of_dead = {"status": ["failed"], "creator": "owner"}

    attempts = export(world.org, dataset="attempts", filter=of_dead).table
    moves = export(world.org, dataset="transitions", filter=of_dead, order="at").table
    lines = export(world.org, dataset="log_lines", filter={"name": "ours-a"}).table

    assert [(row["job_id"], row["attempt"], row["outcome"]) for row in attempts] == [(str(dead.pk), "1", "error")]
    assert [row["to_status"] for row in moves] == ["queued", "running", "failed"]
    assert [(row["sequence"], row["stream"], row["text"]) for row in lines] == [
        ("1", "stdout", "ours says"),
        ("2", "stdout", "second line"),
    ]


def test_what_is_huge_comes_whole(world: World) -> None:
    payload = {"argv": ["/bin/echo", "x" * 9_900]}
    job = make_job(world.org, type="shell", payload=payload)
    (claimed,) = claim_all()
    assert finish_one(claimed, Outcome.DONE, result=["é" * 120_000])
    LogLine.objects.create(job_id=job.pk, attempt=1, sequence=1, stream="log", text="=" * 4_000, at=datetime.now(UTC))

    one = {"job": str(job.pk)}
    (found,) = export(world.org, columns=["payload", "result"], format="json", filter=one).objects
    (row,) = export(world.org, columns=["payload", "result"], filter=one).table
    (line,) = export(world.org, dataset="log_lines", filter=one).table

    assert (found["payload"], found["result"]) == (payload, ["é" * 120_000])
    assert (json.loads(row["payload"]), json.loads(row["result"])) == (payload, ["é" * 120_000])
    assert line["text"] == "'" + "=" * 4_000


def test_a_file_that_would_be_too_large_is_not_kept(world: World, settings: Settings, tmp_path: Path) -> None:
    settings.ARTEFACT_FILE_MAX_BYTES = 300_000
    titled(world, ["t" * 200])
    Job.objects.filter(title="t" * 200).update(description="d" * 400_000)

    found = export(world.org, columns=["description"])

    assert (found.end.outcome, found.end.error_type, found.end.permanent) == ("error", "PermanentFailure", True)
    assert "more than 300000 bytes" in found.end.error
    assert not Artefact.objects.exists()
    assert list((tmp_path / "work").iterdir()) == []
    # compressed it has room
    assert export(world.org, columns=["description"], gzip=True).result["rows"] >= 2


def test_it_tells_how_far_it_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.handlers.data_export.CHECK_ROWS", 2)
    monkeypatch.setattr("jobs.handlers.data_export.TELL_SECONDS", 0.0)
    titled(world, list("abcd"))
    attempt = export_attempt(world.org, None, filter={"queue": "titles"})
    told: list[tuple[float, str]] = []
    monkeypatch.setattr(attempt.reporter, "progress", lambda *one: told.append(one))

    run(attempt)

    assert told == [(0.5, "2 of 4 rows"), (1.0, "4 of 4 rows"), (1.0, "4 rows; keeping the file")]
    assert kept_bytes(attempt).count(b"\r\n") == 5
