"""Spans for OpenTelemetry (requirements-otel.txt): a call over HTTP, the submit in it, each run, each delivery.

Off, which is the default, nothing of it is imported. The trace is the one that the job's correlation id stands for, and
the id of a span follows from what it is of (jobs/trace.py). So a run links to the creation of its job, in another
process and perhaps days before, without anything stored for it; and the `traceparent` that jobs and webhooks send is
that of a span there is. Linked and not a child: a queue lies between, and a submit is over long before its jobs run
(https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/). No payload, result, error text or name of a
tenant is in a span.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID, uuid4

from django.conf import settings

from jobs.trace import digits, trace_id

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

    from jobs.queue.claim import Claimed

# What is told of a span when it ends: whether it went wrong, and more attributes.
Note = Callable[..., None]
Kind = Literal["SERVER", "PRODUCER", "CONSUMER", "CLIENT"]
# Stands for the collector in tests.
exporter: "SpanExporter | None" = None
# More would be most of what the call costs.
CREATED_MAX = 100


def nothing(*, failed: bool = False, **attributes: Any) -> None:
    """The note of a span that there is not."""


def of_request(method: str, correlation_id: str, traceparent: str) -> AbstractContextManager[Note]:
    """A call over HTTP; a child of the caller's span, where he said which (W3C Trace Context)."""
    if not settings.TRACING:
        return nullcontext(nothing)
    return span(method, "SERVER", correlation_id, uuid4().hex, parent=traceparent)


def of_submit(correlation_id: str, jobs: int) -> AbstractContextManager[Note]:
    """All jobs of a call; a child of the call where it came over HTTP."""
    if not settings.TRACING:
        return nullcontext(nothing)
    attributes = {"messaging.operation.type": "send", "messaging.batch.message_count": jobs}
    return span("submit", "PRODUCER", correlation_id, uuid4().hex, within=True, attributes=attributes)


def created(correlation_id: str, job_ids: Iterable[UUID]) -> None:
    """A span for each job of a submit, which its runs link to; of a large call, for its first jobs alone."""
    if settings.TRACING:
        for job_id in islice(job_ids, CREATED_MAX):
            attributes = {"messaging.operation.type": "create", "messaging.message.id": str(job_id)}
            with span("create", "PRODUCER", correlation_id, creation_of(job_id), within=True, attributes=attributes):
                pass


def of_run(claimed: "Claimed") -> AbstractContextManager[Note]:
    """One attempt of a job, in the worker."""
    if not settings.TRACING:
        return nullcontext(nothing)
    attributes = {
        "messaging.operation.type": "process",
        "messaging.destination.name": claimed.queue,
        "messaging.message.id": str(claimed.job_id),
        "smartqueue.job.type": claimed.type,
        "smartqueue.job.attempt": claimed.attempt,
    }
    of = f"{claimed.job_id}/{claimed.attempt}"
    link = creation_of(claimed.job_id)
    return span(f"run {claimed.type}", "CONSUMER", claimed.correlation_id, of, link=link, attributes=attributes)


def of_delivery(event: str, correlation_id: str, of: str, job_id: object) -> AbstractContextManager[Note]:
    """One try to tell a receiver of an event; links to its job too."""
    if not settings.TRACING:
        return nullcontext(nothing)
    return span(f"deliver {event}", "CLIENT", correlation_id, of, link=creation_of(job_id) if job_id else "")


def creation_of(job_id: object) -> str:
    return f"create/{job_id}"


@contextmanager
def span(
    name: str,
    kind: Kind,
    correlation_id: str,
    of: str,
    *,
    parent: str = "",
    within: bool = False,
    link: str = "",
    attributes: Mapping[str, Any] | None = None,
) -> Iterator[Note]:
    """A span of that trace, with the id that `of` has; `within` the one that is open here, if there is one.

    `parent` is a traceparent, which counts where it is of the same trace.
    """
    from opentelemetry.context import Context, get_current
    from opentelemetry.propagate import extract
    from opentelemetry.trace import SpanKind, StatusCode

    trace = trace_id(correlation_id)
    known = extract({"traceparent": parent}, Context()) if parent.split("-")[1:2] == [trace] else Context()
    wanted = (int(trace, 16), int(digits(of, 16), 16))
    found = tracer(wanted).start_as_current_span(
        name,
        context=get_current() if within else known,
        kind=SpanKind[kind],
        links=links_to(trace, link),
        attributes={"smartqueue.correlation_id": correlation_id, **(attributes or {})},
        # the text of an error may be what nobody may read
        record_exception=False,
        set_status_on_exception=False,
    )
    with found as open_span:

        def note(*, failed: bool = False, **more: Any) -> None:
            open_span.set_attributes(more)
            if failed:
                open_span.set_status(StatusCode.ERROR)

        try:
            yield note
        except BaseException as error:
            note(failed=True, **{"error.type": type(error).__qualname__})
            raise


def links_to(trace: str, of: str) -> list[Any]:
    """To the span of that trace with the id that `of` has; none where it is empty."""
    from opentelemetry.trace import Link, SpanContext, TraceFlags

    if not of:
        return []
    sampled = TraceFlags(TraceFlags.SAMPLED)
    return [Link(SpanContext(int(trace, 16), int(digits(of, 16), 16), is_remote=True, trace_flags=sampled))]


_tracers: dict[int, Any] = {}


def tracer(wanted: tuple[int, int]) -> Any:
    """Of this process: what a fork has taken along of another's sends nothing."""
    from jobs import tracing_sdk

    tracing_sdk.ids.set(wanted)
    pid = os.getpid()
    # two threads may both make one at first; one of them is kept, and no lock is taken along by a fork
    return _tracers.get(pid) or _tracers.setdefault(pid, tracing_sdk.tracer(exporter))


def forget() -> None:
    """The next span is sent to what `exporter` is then."""
    _tracers.clear()
