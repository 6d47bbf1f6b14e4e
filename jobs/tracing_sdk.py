"""What jobs/tracing.py needs of OpenTelemetry's SDK; imported where tracing is on alone."""

from contextvars import ContextVar
from typing import Any

from django.conf import settings
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator

# (trace, span) of the next span that is begun here.
ids: ContextVar[tuple[int, int]] = ContextVar("ids")


class GivenIds(IdGenerator):
    def generate_trace_id(self) -> int:
        return ids.get()[0]

    def generate_span_id(self) -> int:
        return ids.get()[1]


def tracer(exporter: SpanExporter | None) -> Any:
    """Sends by OTLP over HTTP, in batches and beside the work; where to is in OTEL_EXPORTER_OTLP_ENDPOINT
    (https://opentelemetry.io/docs/specs/otel/protocol/exporter/)."""
    resource = Resource.create({"service.name": "smartqueue", "service.version": settings.VERSION})
    provider = TracerProvider(resource=resource, id_generator=GivenIds())
    if exporter:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    else:
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider.get_tracer("smartqueue", settings.VERSION)
