"""What running attempts report."""

from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import transaction

from jobs.errors import LeaseLost
from jobs.models import Artefact, Lease, LogLine
from jobs.processes.reporting import AttemptReporter, flush
from jobs.queue import sql
from tests.conftest import World
from tests.factories import claim_all, finish_one, make_job

pytestmark = pytest.mark.django_db


@pytest.fixture
def reporters(world: World, settings: Any, tmp_path: Any) -> list[AttemptReporter]:
    """Of two attempts that run."""
    settings.MEDIA_ROOT = tmp_path
    make_job(world.org)
    make_job(world.org)
    return [AttemptReporter(claimed) for claimed in claim_all()]


def texts(reporter: AttemptReporter) -> list[str]:
    lines = LogLine.objects.filter(job_id=reporter.claimed.job_id).order_by("sequence")
    return list(lines.values_list("text", flat=True))


def test_lines_of_all_attempts_are_written_in_their_order(reporters: list[AttemptReporter]) -> None:
    one, other = reporters
    one.log("stdout", "first\nsecond\r\nthird")
    other.log("log", "")
    one.log("stderr", "fourth")

    flush(reporters)
    flush(reporters)

    assert texts(one) == ["first", "second", "third", "fourth"]
    assert texts(other) == [""]
    streams = LogLine.objects.filter(job_id=one.claimed.job_id).order_by("sequence").values_list("stream", flat=True)
    assert list(streams) == ["stdout", "stdout", "stdout", "stderr"]


def test_what_postgresql_cannot_keep_is_replaced(reporters: list[AttemptReporter]) -> None:
    reporters[0].log("log", "a\0b\ud800c")
    reporters[0].progress(0.5, "x\0y")

    flush(reporters)

    assert texts(reporters[0]) == ["a\ufffdb\ufffdc"]
    assert Lease.objects.get(token=reporters[0].claimed.token).progress_message == "x\ufffdy"


def test_long_lines_and_long_logs_are_cut_with_a_mark(reporters: list[AttemptReporter], settings: Any) -> None:
    settings.LOG_LINE_MAX_CHARACTERS, settings.LOG_MAX_LINES = 80, 5
    for number in range(10):
        reporters[0].log("log", f"{number}" * 100)

    flush(reporters)

    lines = texts(reporters[0])
    assert len(lines) == 5
    assert lines[0] == "0" * 80
    assert "more than 5 lines" in lines[-1]


@pytest.mark.parametrize("fraction", [float("nan"), float("inf")])
def test_progress_is_a_number(reporters: list[AttemptReporter], fraction: float) -> None:
    with pytest.raises(ValueError, match="progress"):
        reporters[0].progress(fraction, "")


def test_a_stream_has_a_known_name(reporters: list[AttemptReporter]) -> None:
    with pytest.raises(ValueError, match="stream"):
        reporters[0].log("nowhere", "hello")


def test_what_the_database_refuses_is_dropped_and_only_that(
    reporters: list[AttemptReporter], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = reporters
    one.log("log", "good")
    other._lines.append((1, "log", "\0", 0.0))  # as if it had slipped past log()
    run = sql.run

    def alone(name: str, **params: Any) -> Any:
        with transaction.atomic():  # as without the test's transaction around it
            return run(name, **params)

    monkeypatch.setattr(sql, "run", alone)

    flush(reporters)

    assert texts(one) == ["good"]
    assert texts(other) == []
    other.add_line("log", "later")
    other.add_line("log", "again")
    flush(reporters)
    assert texts(other) == ["later", "again"]


def test_a_file_is_kept_with_its_facts_under_a_name_of_ours(reporters: list[AttemptReporter]) -> None:
    claimed = reporters[0].claimed

    artefact_id = reporters[0].artefact("report (1).csv", b"a,b\n", "text/csv")

    artefact = Artefact.objects.get(pk=artefact_id)
    assert (artefact.job_id, artefact.attempt, artefact.name) == (claimed.job_id, 1, "report (1).csv")
    assert (artefact.size_bytes, artefact.content_type) == (4, "text/csv")
    assert "report" not in artefact.file.name
    with artefact.file.open() as file:
        assert file.read() == b"a,b\n"


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("../etc/passwd", "a/b"),
        ("a/b", "a/b"),
        ("", "a/b"),
        (".hidden", "a/b"),
        ("a\n", "a/b"),
        ("a\0", "a/b"),
        ("x" * 121, "a/b"),
        ("ok", "nonsense"),
        ("ok", "text/html; charset=<script>"),
    ],
)
def test_a_bad_name_or_type_is_refused(reporters: list[AttemptReporter], name: str, content_type: str) -> None:
    with pytest.raises(ValueError):
        reporters[0].artefact(name, b"", content_type)

    assert not Artefact.objects.exists()


def test_a_file_that_is_too_long_or_comes_twice_is_refused(reporters: list[AttemptReporter], settings: Any) -> None:
    settings.ARTEFACT_MAX_BYTES = 10
    with pytest.raises(ValueError, match="at most 10"):
        reporters[0].artefact("long", b"x" * 11, "a/b")
    reporters[0].artefact("twice", b"1", "a/b")

    with pytest.raises(ValueError, match="already"):
        reporters[0].artefact("twice", b"2", "a/b")

    assert Artefact.objects.count() == 1


def test_an_attempt_that_lost_its_lease_leaves_no_file(reporters: list[AttemptReporter]) -> None:
    claimed = reporters[0].claimed
    finish_one(claimed)

    with pytest.raises(LeaseLost):
        reporters[0].artefact("late", b"1", "a/b")

    assert not Artefact.objects.exists()
    assert default_storage.listdir(str(claimed.org_id))[1] == []
