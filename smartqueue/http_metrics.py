"""HTTP metrics of django_prometheus, with labels that have a bound whoever calls: a method that a client makes up, or
several hundred views times their answers, would each be a series for ever."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django_prometheus.middleware import Metrics, PrometheusAfterMiddleware, PrometheusBeforeMiddleware

# Seconds; pages and calls take some milliseconds, a long poll up to a minute.
LATENCY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
BODY_BUCKETS = tuple(4.0**power for power in range(3, 14, 2))
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
OTHER_METHOD = "other"
# A series for each view or template, or for each status of each method, would be thousands in a process that lives long
# enough to be asked for all of them.
NOT_KEPT = frozenset(
    {
        "django_http_requests_total_by_view_transport_method",
        "django_http_responses_total_by_status_view_method",
        "django_http_responses_total_by_templatename",
    }
)


class NotKept:
    """A metric of which nothing is kept."""

    def labels(self, **_labels: str) -> "NotKept":
        return self

    def inc(self) -> None:
        """Nothing."""


class BoundedMetrics(Metrics):  # type: ignore[misc]
    """The same metrics by the same names, with fewer buckets, but for those of which nothing is kept."""

    def register_metric(self, kind: Any, name: str, documentation: str, labelnames: Any = (), **options: Any) -> Any:
        if name in NOT_KEPT:
            return NotKept()
        if "buckets" in options:
            options["buckets"] = BODY_BUCKETS if name.endswith("_bytes") else LATENCY_BUCKETS
        return super().register_metric(kind, name, documentation, labelnames=labelnames, **options)


class BeforeMiddleware(PrometheusBeforeMiddleware):  # type: ignore[misc]
    metrics_cls = BoundedMetrics


class AfterMiddleware(PrometheusAfterMiddleware):  # type: ignore[misc]
    metrics_cls = BoundedMetrics

    def label_metric(
        self, metric: Any, request: HttpRequest, response: HttpResponse | None = None, **labels: str
    ) -> Any:
        if labels.get("method") not in METHODS and "method" in labels:
            labels["method"] = OTHER_METHOD
        if "view" in labels:
            labels["view"] = area(request)
        return super().label_metric(metric, request, response, **labels)


def area(request: HttpRequest) -> str:
    """Whose part of the addresses it is."""
    for name in ("api/v1/worker", "api", "admin", "static"):
        if request.path_info.startswith(f"/{name}/"):
            return name
    return "health" if request.path_info in ("/healthz", "/readyz", "/metrics") else "pages"
