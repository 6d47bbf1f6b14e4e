"""A parameter that the API does not document is refused: a filter that is misspelt would otherwise filter nothing."""

from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from drf_spectacular.utils import OpenApiParameter

from jobs.api import faults
from smartqueue.errors import PROBLEM_JSON, problem, wants_problem

# A method's documentation asks these of its view.
ANY_VIEW = SimpleNamespace(determine_version=lambda *args, **kwargs: (None, None), request=None, kwargs={})
LONGEST_NAME = 64


class QueryMiddleware:
    """What a method reads of the query is what its documentation says (jobs/api/docs.py and its like)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        if not request.GET or not wants_problem(request):
            return None
        known = taken(
            getattr(view, "view_class", None), "get" if request.method == "HEAD" else str(request.method).lower()
        )
        strangers = [] if known is None else sorted(set(request.GET) - known)
        if not strangers:
            return None
        found = [
            faults.fault(f"/{faults.escaped(name[:LONGEST_NAME])}", "unknown", "This parameter is not known here.")
            for name in strangers
        ]
        body = problem(
            request, 400, "The request is not valid; see errors.", code="validation", errors=faults.first(found)
        )
        return JsonResponse(body, status=400, content_type=PROBLEM_JSON)


@cache
def taken(view: Any, method: str) -> frozenset[str] | None:
    """The parameters that a method of a view takes; None where it has no documentation."""
    schema = getattr(getattr(view, method, None), "kwargs", {}).get("schema")
    if schema is None:
        return None
    documented = schema()
    documented.view, documented.method = ANY_VIEW, method.upper()
    if documented.is_excluded():
        return None
    names: set[str] = set()
    for one in documented.get_override_parameters():
        if not isinstance(one, OpenApiParameter):
            names |= set(one().fields)
        elif one.location == OpenApiParameter.QUERY:
            names.add(one.name)
    paginator = getattr(view, "pagination_class", None) if method == "get" else None
    return frozenset(names | ({paginator.cursor_query_param, paginator.page_size_query_param} if paginator else set()))
