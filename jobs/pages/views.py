"""Saving the list of jobs as it is, and choosing how to look at it."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from jobs.errors import InvalidView, QueueError, ViewNotFound
from jobs.pages.actions import back
from jobs.pages.head import COLUMNS, head_of
from jobs.search import saved
from orgs.pages import org_page
from orgs.roles import Action
from orgs.scope import Scope


@org_page(Action.READ, methods=("GET", "POST"))
def views(request: HttpRequest, scope: Scope) -> HttpResponse:
    """All that he sees; POST saves the filters that the form was opened with."""
    if request.method == "GET":
        return views_page(request, scope, query=request.GET.urlencode())
    name, query = request.POST.get("name", "").strip(), request.POST.get("query", "")
    try:
        view = saved.create(
            scope=scope, request=request, name=name, query=query, shared=request.POST.get("shared") == "1"
        )
    except QueueError as error:
        return views_page(request, scope, query=query, name=name, fault=told(error), status=400)
    messages.success(request, _("The view is saved."))
    return redirect(f"/jobs/?{'&'.join(part for part in (view.query, f'view={view.pk}') if part)}")


def views_page(request: HttpRequest, scope: Scope, *, status: int = 200, **context: Any) -> HttpResponse:
    try:
        query = saved.kept(context["query"])
    except InvalidView as error:
        query, context["fault"] = "", told(error)
    context |= {"query": query, "head": head_of(scope), "longest": saved.LONGEST_NAME}
    return render(request, "jobs/views.html", context, status=status)


def told(error: QueueError) -> str:
    return error.errors[0][1] if isinstance(error, InvalidView) else error.detail


@org_page(Action.READ, methods=("POST",))
def view_change(request: HttpRequest, scope: Scope, view_id: int) -> HttpResponse:
    """Another name, or whose it is."""
    fields: dict[str, Any] = {}
    if "name" in request.POST:
        fields["name"] = request.POST["name"].strip()
    if "shared" in request.POST:
        fields["shared"] = request.POST["shared"] == "1"
    try:
        saved.change(view_id, scope=scope, request=request, **fields)
        messages.success(request, _("The view is changed."))
    except ViewNotFound as error:
        raise Http404 from error
    except QueueError as error:
        messages.error(request, told(error))
    return redirect("views")


@org_page(Action.READ, methods=("POST",))
def view_first(request: HttpRequest, scope: Scope, view_id: int) -> HttpResponse:
    """The list begins with this view, or no longer does."""
    try:
        saved.show_first(view_id, request.POST.get("first", "1") == "1", scope=scope, request=request)
    except ViewNotFound as error:
        raise Http404 from error
    except QueueError as error:
        messages.error(request, told(error))
    return redirect("views")


@org_page(Action.READ, methods=("POST",))
def view_removal(request: HttpRequest, scope: Scope, view_id: int) -> HttpResponse:
    try:
        saved.remove(view_id, scope=scope, request=request)
        messages.success(request, _("The view is deleted."))
    except ViewNotFound as error:
        raise Http404 from error
    except QueueError as error:
        messages.error(request, told(error))
    return redirect("views")


@org_page(Action.READ, methods=("POST",))
def columns(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Which columns his list has, and how close its rows are."""
    chosen = request.POST.getlist("column")
    if not set(chosen) <= set(COLUMNS):
        raise BadRequest(_("There is no such column."))
    try:
        saved.look(scope=scope, columns=chosen, compact=request.POST.get("compact") == "1")
    except QueueError as error:
        messages.error(request, told(error))
    return back(request, "/jobs/")
