"""Jobs are told what they are about: soon after their submit, once, and nothing that their submitter said is lost."""

from typing import Any

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from jobs import classifying
from jobs.models import ClassifiedText, ClassifierCount, Job, ToClassify
from jobs.queue import classify, sql
from jobs.queue.classify import classify_some
from jobs.queue.enqueue import NewJob, enqueue_many
from jobs.queue.upkeep import forget_answers
from orgs.models import Org
from tests.concurrency import at_once, elsewhere
from tests.conftest import World
from tests.factories import api, claim_all, finish_one, make_dead_letter, make_job, make_org
from tests.jobs.api.refusals import ADD, JOBS
from tests.jobs.classifiers import FakeClassifier, answering, said, use
from tests.jobs.queue.whole import assert_whole

pytestmark = pytest.mark.django_db

POOL = "Database timeout: primary pool exhausted"


def told(job: Job) -> Job:
    job.refresh_from_db()
    return job


def test_a_job_with_a_title_is_told_what_it_is_about(world: World) -> None:
    job = make_job(world.org, title=POOL)
    assert (job.urgency, job.category, job.classification) == ("medium", "", None)

    assert not classify_some()

    assert (told(job).urgency, job.category) == ("high", "Database")
    found = job.classification
    assert found is not None
    assert (found["category"], found["urgency"], found["given"]) == ("Database", "high", [])
    assert found["source"] in {"model", "rules"}
    assert found["action"]
    assert not ToClassify.objects.exists()


def test_it_moves_before_those_that_came_earlier(world: World) -> None:
    earlier = make_job(world.org)
    job = make_job(world.org, title=POOL)

    classify_some()

    assert [one.job_id for one in claim_all(slots=1)] == [job.pk]
    assert [one.job_id for one in claim_all(slots=1)] == [earlier.pk]
    assert_whole()


@pytest.mark.parametrize(
    ("given", "category", "urgency"),
    [
        ({"urgency": "medium"}, "Network", "medium"),
        ({"urgency": "low"}, "Network", "low"),
        ({"category": "Database"}, "Database", "high"),
    ],
)
def test_what_the_submitter_said_holds(
    world: World, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], category: str, urgency: str
) -> None:
    answering(monkeypatch, "Network", "high")
    job = make_job(world.org, title="t", **given)

    classify_some()

    assert (told(job).category, job.urgency) == (category, urgency)
    assert job.classification is not None
    assert job.classification["given"] == list(given)


@pytest.mark.parametrize(
    "fields", [{}, {"name": "Database timeout"}, {"title": POOL, "category": "Network", "urgency": "low"}]
)
def test_there_is_nothing_to_tell_without_a_text_or_where_all_was_said(world: World, fields: dict[str, Any]) -> None:
    job = make_job(world.org, **fields)

    classify_some()

    assert told(job).classification is None
    assert job.urgency == fields.get("urgency", "medium")


def test_a_guess_moves_no_job(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, FakeClassifier(lambda text: said("Network", "high", urgency_confidence=0.39)))
    job = make_job(world.org, title="t")

    classify_some()

    assert (told(job).category, job.urgency) == ("Network", "medium")
    assert job.classification is not None
    assert job.classification["urgency"] == "high"


def test_a_description_alone_is_read(world: World) -> None:
    job = make_job(world.org, description=POOL)

    classify_some()

    assert told(job).category == "Database"


def test_a_repeat_of_a_submit_is_not_read_twice(world: World) -> None:
    for _ in range(2):
        make_job(world.org, title=POOL, idempotency_key="k")

    assert ToClassify.objects.count() == 1


def test_those_that_run_or_have_ended_are_told_and_keep_their_urgency(world: World) -> None:
    failed = make_dead_letter(world.org, title=POOL)
    running = make_job(world.org, title=POOL)
    (claimed,) = claim_all()

    classify_some()

    for job in (failed, running):
        assert (told(job).category, job.urgency) == ("Database", "medium")
        assert job.classification is not None
        assert job.classification["urgency"] == "high"
    assert finish_one(claimed, "done", result=3)
    assert_whole()


def test_hits_and_misses_are_counted_for_each_organisation(world: World) -> None:
    for org, title in [(world.org, POOL), (world.org, POOL), (world.org, "Other"), (world.rival, POOL)]:
        make_job(org, title=title)

    classify_some()

    counts = ClassifierCount.objects.order_by("org_id").values_list("org_id", "hits", "misses")
    assert sorted(counts) == sorted([(world.org.pk, 1, 2), (world.rival.pk, 0, 1)])


def test_a_batch_has_its_bound_and_says_that_there_is_more(world: World, settings: Settings) -> None:
    settings.CLASSIFY_BATCH = 2
    for _ in range(3):
        make_job(world.org, title=POOL)

    assert classify_some()
    assert ToClassify.objects.count() == 1
    assert not classify_some()
    assert not ToClassify.objects.exists()


class Broken:
    labels, version = (), "broken"

    def classify(self, texts: Any) -> Any:
        raise RuntimeError("broken")


def test_a_broken_classifier_keeps_no_job_from_being_stored_and_run(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    use(monkeypatch, Broken())

    answers = [api(world.operator).post(JOBS, {**ADD, "title": f"{number}"}) for number in range(3)]
    for _ in range(3):
        classify_some()

    assert [answer.status_code for answer in answers] == [201] * 3
    assert all(finish_one(one, "done", result=3) for one in claim_all())
    assert len([record for record in caplog.records if "it rests" in record.message]) == 1
    assert not ToClassify.objects.exists()


def test_trouble_with_one_organisation_keeps_none_of_the_others_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = make_job(world.org, title=POOL), make_job(world.rival, title=POOL)

    def of_rival_alone(org: Org, texts: Any) -> Any:
        if org == world.org:
            raise RuntimeError("broken")
        return classifying.answer_many(org, texts)

    monkeypatch.setattr(classify, "answer_many", of_rival_alone)

    classify_some()

    assert (told(ours).category, told(theirs).category) == ("", "Database")
    assert ToClassify.objects.get().pk == ours.pk
    assert "could not be told" in caplog.text


def test_whoever_takes_jobs_and_dies_has_them_for_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(world.org, title=POOL)

    def dies(*_: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(classify, "answer_many", dies)
        with pytest.raises(SystemExit):
            classify_some()

    classify_some()
    assert told(job).classification is None
    ToClassify.objects.update(due_at=job.created_at)
    classify_some()
    assert told(job).category == "Database"


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_each_job_is_told_by_one() -> None:
    org = make_org("acme")
    texts = [NewJob(**{**ADD, "title": f"{POOL} {number}"}) for number in range(100)]
    enqueue_many(texts, org=org, user=None)

    assert at_once(classify_some, classify_some) == [False, False]

    assert not ToClassify.objects.exists()
    assert set(Job.objects.values_list("category", "urgency")) == {("Database", "high")}
    count = ClassifierCount.objects.get()
    assert count.hits + count.misses == 100
    assert_whole()


@pytest.mark.django_db(transaction=True)
def test_a_job_that_somebody_holds_is_told_a_little_later(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch)
    held, free = [make_job(make_org(slug), title="t") for slug in ("acme", "rival")]
    with elsewhere() as other:
        other.execute("SELECT FROM jobs_job WHERE id = %s FOR UPDATE", (held.pk,))

        classify_some()

        assert told(free).category == "Database"
    assert told(held).classification is None
    ToClassify.objects.update(due_at=held.created_at)
    classify_some()
    assert told(held).category == "Database"


def test_nothing_is_asked_within_a_transaction(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of our own: the test itself is in one, which counts for one level."""
    make_job(world.org, title=POOL)
    levels = []
    monkeypatch.setattr(classifying, "by_machine", lambda *args: levels.append(len(connection.savepoint_ids)) or {})
    depth = len(connection.savepoint_ids)

    classify_some()

    assert levels == [depth]


def test_what_is_taken_is_read_by_its_index(world: World) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO jobs_toclassify SELECT gen_random_uuid(), %s, true, true, clock_timestamp()"
            " FROM generate_series(1, 20000)",
            (world.org.pk,),
        )
        cursor.execute("ANALYZE jobs_toclassify")
        text = sql.statement("take_unread").text
        cursor.execute(f"EXPLAIN {text}", {"batch": 200, "seconds": 60, "characters": 4000})
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "toclassify_due_idx" in plan
    assert "Seq Scan on jobs_toclassify" not in plan


def test_another_organisation_is_nobodys_business(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Org] = []
    monkeypatch.setattr(
        classify, "answer_many", lambda org, texts: asked.append(org) or classifying.answer_many(org, texts)
    )
    ours, theirs = make_job(world.org, title=POOL), make_job(world.rival, title="Router is slow")

    classify_some()

    assert set(asked) == {world.org, world.rival}
    assert told(ours).classification != told(theirs).classification


def remembered(org: Org, answers: int, days: int = 0) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO jobs_classifiedtext (org_id, digest, version, answer, at)"
            " SELECT %s, gen_random_uuid(), 'v', '{}', clock_timestamp() - make_interval(days => %s)"
            " FROM generate_series(1, %s)",
            (org.pk, days, answers),
        )


def test_what_was_answered_long_ago_is_forgotten_batch_by_batch(world: World, settings: Settings) -> None:
    remembered(world.org, 5, days=settings.CLASSIFY_CACHE_DAYS + 1)
    remembered(world.org, 2)

    assert forget_answers(batch=3)
    assert not forget_answers(batch=3)

    assert ClassifiedText.objects.count() == 2


def test_no_more_answers_are_kept_than_there_is_room_for(world: World, settings: Settings) -> None:
    settings.CLASSIFY_CACHE_MAX_ROWS = 4
    remembered(world.org, 10)
    newest = list(ClassifiedText.objects.order_by("-id").values_list("id", flat=True)[:4])

    forget_answers(batch=100)

    assert sorted(ClassifiedText.objects.values_list("id", flat=True)) == sorted(newest)
