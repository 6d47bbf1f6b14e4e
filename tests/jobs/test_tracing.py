"""Spans of calls, submits, runs and deliveries: of one trace, linked, and silent about what jobs carry."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from jobs import tracing
from jobs.models import Job
from jobs.queue.finish import finish
from jobs.queue.promote import promote
from jobs.trace import trace_id, traceparent
from tests.conftest import World
from tests.factories import api, claim_all, make_webhook
from tests.jobs.delivery.rounds import deliver
from tests.jobs.handlers.fakes import make_attempt
from tests.jobs.handlers.server import serving
from tests.process import ROOT

pytestmark = pytest.mark.django_db

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SECRET = "herons-wade-at-dawn"


@pytest.fixture
def spans(settings: Any) -> Iterator[InMemorySpanExporter]:
    settings.TRACING = True
    tracing.exporter = InMemorySpanExporter()
    tracing.forget()
    yield tracing.exporter
    tracing.exporter = None
    tracing.forget()


def submit(world: World, task: str = "demo.add", **headers: str) -> Job:
    kwargs = {"a": 1, "b": 2} if task == "demo.add" else {"reason": SECRET}
    body = {"type": "python", "payload": {"task": task, "kwargs": kwargs}, "max_attempts": 2}
    answer = api(world.operator).post("/api/v1/jobs/", body, headers=headers)
    assert answer.status_code == 201
    return Job.objects.get(pk=answer.json()["id"])


def run(queue: str = "default") -> None:
    (claimed,) = claim_all(queue)
    finish([make_attempt(claimed).run()], worker_name="tester-1")


def named(spans: InMemorySpanExporter, start: str) -> list[ReadableSpan]:
    return [span for span in spans.get_finished_spans() if span.name.startswith(start)]


def context(span: ReadableSpan) -> Any:
    assert span.context is not None
    return span.context


def link_of(span: ReadableSpan) -> int:
    (link,) = span.links
    assert link.context.trace_id == context(span).trace_id
    return int(link.context.span_id)


def test_a_run_links_to_the_submit_which_is_within_the_call_of_the_callers_trace(
    world: World, spans: InMemorySpanExporter
) -> None:
    job = submit(world, traceparent=CALLER)
    run()

    (call,), (sent,), (ran,) = named(spans, "POST"), named(spans, "submit"), named(spans, "run")
    (made,) = named(spans, "create")
    assert [span.kind for span in (call, sent, ran)] == [SpanKind.SERVER, SpanKind.PRODUCER, SpanKind.CONSUMER]
    assert {f"{context(span).trace_id:032x}" for span in (call, sent, ran)} == {trace_id(job.correlation_id)}
    assert CALLER.split("-")[1] == trace_id(job.correlation_id)
    assert call.parent is not None
    assert sent.parent is not None
    assert f"{call.parent.span_id:016x}" == CALLER.split("-")[2]
    assert sent.parent.span_id == context(call).span_id
    # days may lie between: linked, not a child
    assert ran.parent is None
    assert link_of(ran) == context(made).span_id
    assert made.parent is not None
    assert made.parent.span_id == context(sent).span_id
    assert dict(call.attributes or {})["http.route"] == "api/v1/jobs/"
    assert dict(ran.attributes or {})["messaging.message.id"] == str(job.pk)
    # what an http job would send on is the span that there is
    assert traceparent(job.correlation_id, f"{job.pk}/1").split("-")[2] == f"{context(ran).span_id:016x}"


def test_another_correlation_id_is_another_trace(world: World, spans: InMemorySpanExporter) -> None:
    submit(world, traceparent=CALLER, **{"X-Correlation-ID": "order-17"})

    (call,) = named(spans, "POST")
    assert call.parent is None
    assert f"{context(call).trace_id:032x}" == trace_id("order-17")


def test_each_try_is_a_span_and_a_failure_is_an_error_without_its_text(
    world: World, spans: InMemorySpanExporter, settings: Any
) -> None:
    settings.RETRY_BASE_SECONDS = settings.RETRY_JITTER_SECONDS = 0
    submit(world, "demo.fail_always")
    run()
    promote()
    run()
    ran = named(spans, "run")

    assert [span.status.status_code for span in ran] == [StatusCode.ERROR] * 2
    assert [dict(span.attributes or {})["smartqueue.job.attempt"] for span in ran] == [1, 2]
    assert {link_of(span) for span in ran} == {context(span).span_id for span in named(spans, "create")}
    assert dict(ran[0].attributes or {})["error.type"] == "RuntimeError"
    assert dict(ran[0].attributes or {})["smartqueue.job.outcome"] == "error"
    assert SECRET not in "".join(span.to_json() for span in spans.get_finished_spans())
    assert world.org.slug not in "".join(span.to_json() for span in spans.get_finished_spans())


def test_a_delivery_is_the_span_that_its_receiver_is_told_of(
    world: World, spans: InMemorySpanExporter, settings: Any
) -> None:
    with serving() as server:
        settings.HTTP_ALLOW_HOSTS = [server.authority]
        make_webhook(world.org, server.on("/hook", 204), events=["job.done"])
        submit(world)
        run()

        (report,) = deliver()

    (sent,), (made,) = named(spans, "deliver"), named(spans, "create")
    assert report.delivered
    assert sent.kind is SpanKind.CLIENT
    assert link_of(sent) == context(made).span_id
    told = server.asked[-1].headers["traceparent"].split("-")
    assert told[1:3] == [f"{context(sent).trace_id:032x}", f"{context(sent).span_id:016x}"]


def test_of_a_large_call_the_first_jobs_have_a_span_of_their_own(
    world: World, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "CREATED_MAX", 2)
    job = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}

    assert api(world.operator).post("/api/v1/jobs/bulk/", {"jobs": [job] * 3}).status_code == 200

    (sent,) = named(spans, "submit")
    assert dict(sent.attributes or {})["messaging.batch.message_count"] == 3
    assert len({context(span).span_id for span in named(spans, "create")}) == 2


def test_off_there_are_no_spans_and_nothing_is_imported(world: World) -> None:
    code = "import django; django.setup(); import sys, jobs.processes.executor, jobs.delivery.post, smartqueue.logs; "
    code += "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    environ = {"DJANGO_SETTINGS_MODULE": "smartqueue.settings", "SMARTQUEUE_TESTING": "1"}

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    )

    assert json.loads(done.stdout) == []
    submit(world)
    run()


def test_on_without_the_library_nothing_starts() -> None:
    code = "import importlib.util as u; old = u.find_spec; "
    code += "u.find_spec = lambda name, *rest: None if 'opentelemetry' in name else old(name, *rest); "
    code += "import django; django.setup()"
    environ = {"DJANGO_SETTINGS_MODULE": "smartqueue.settings", "SMARTQUEUE_TESTING": "1", "SMARTQUEUE_TRACING": "1"}

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )

    assert done.returncode != 0
    assert "pip install -r requirements-otel.txt" in done.stderr
