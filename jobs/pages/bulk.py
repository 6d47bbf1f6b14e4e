"""Asking for a bulk operation: on all jobs that match a list's filter, with a dry run, or on those that are ticked."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from jobs.errors import InvalidBulk
from jobs.listing import Filters, TooSlow, bounded, narrowed
from jobs.models import BulkOperation, Job, Queue
from jobs.pages.actions import back, soon_done, ticked
from jobs.pages.bulk_words import EXPLAINED, LABELS, asks
from jobs.pages.filters import SUGGESTIONS, DeadLetterForm, JobFilterForm, ListForm
from jobs.pages.lists import TOO_SLOW
from jobs.pages.undo import tell_undoable
from jobs.queue.bulk import COUNTED, Asked, Count, count, start
from jobs.queue.bulk_kinds import KINDS
from jobs.ranking import URGENCY_FACTOR
from jobs.states import Status
from orgs.pages import org_page
from orgs.roles import Action
from orgs.scope import Scope, scope_of

TYPE_COUNT_ABOVE = 100
# Of the address: which list its filter is of.
LISTS: dict[str, tuple[type[ListForm], str]] = {
    "jobs": (JobFilterForm, "/jobs/"),
    "dead-letters": (DeadLetterForm, "/dead-letters/"),
}
# What can be asked for from a list of dead letters: nothing else fits any of them.
OF_DEAD = ("replay", "delete", "tag", "untag")


@dataclass(frozen=True, slots=True)
class Chosen:
    """The list and filter of an address."""

    of: str
    form: ListForm
    path: str

    @property
    def query(self) -> str:
        return urlencode(self.form.narrowing())

    @property
    def address(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def kinds(self) -> tuple[str, ...]:
        return OF_DEAD if self.of == "dead-letters" else tuple(KINDS)

    def filters(self) -> Filters:
        return self.form.filters()


def chosen_by(request: HttpRequest, scope: Scope) -> Chosen:
    of = request.GET.get("of", "jobs")
    if of not in LISTS:
        raise BadRequest(_("There is no such list."))
    kind, path = LISTS[of]
    form = kind(request.GET, scope.org)
    if not form.is_valid():
        raise BadRequest(_("The filter is not valid."))
    return Chosen(of, form, path)


def asked_of(request: HttpRequest, chosen: Chosen, kind: str) -> Asked:
    sent = request.POST
    return Asked(
        kind,
        chosen.filters() if chosen.of == "jobs" else only_dead(chosen.filters()),
        parameters=parameters_of(request, kind),
        reason=sent.get("reason", "").strip()[:200],
        rate=rate_of(sent),
        undo_seconds=undo_seconds(kind),
        query={"of": chosen.of, **chosen.form.narrowing()},
        until=moment_of(sent),
    )


def only_dead(filters: Filters) -> Filters:
    return replace(filters, statuses=(Status.FAILED,))


def undo_seconds(kind: str) -> int:
    return settings.UNDO_SECONDS if KINDS[kind].undoable else 0


def parameters_of(request: HttpRequest, kind: str) -> dict[str, Any]:
    return {name: request.POST.get(name, "").strip() for name in KINDS[kind].parameters}


def rate_of(sent: QueryDict) -> float | None:
    """What is no number is below all that are allowed."""
    text = sent.get("rate", "").strip()
    try:
        return float(text) if text else None
    except ValueError:
        return -1.0


def moment_of(sent: QueryDict) -> datetime | None:
    """The time of the count that was confirmed; None, when it is still to be."""
    if "until" not in sent:
        return None
    try:
        moment = parse_datetime(sent.get("until", ""))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadRequest(_("The time of the count is missing."))
    return moment


@org_page(Action.CANCEL, methods=("GET", "POST"))
def bulk_new(request: HttpRequest, scope: Scope) -> HttpResponse:
    """GET counts and asks, POST has it done."""
    chosen = chosen_by(request, scope)
    kind = request.GET.get("kind", "")
    if not kind:
        return render(request, "jobs/bulk_choose.html", choice(scope, chosen))
    if kind not in chosen.kinds:
        raise BadRequest(_("There is no such act."))
    scope_of(request, KINDS[kind].action)
    return confirmed_or_asked(request, scope, chosen, kind)


def confirmed_or_asked(request: HttpRequest, scope: Scope, chosen: Chosen, kind: str) -> HttpResponse:
    asked, faults = asked_of(request, chosen, kind), []
    try:
        counted = count(asked, scope)
    except TooSlow:
        messages.error(request, TOO_SLOW)
        return redirect(chosen.address)
    if is_confirmed(request, counted):
        try:
            return begun_page(request, start(asked, scope=scope, counted=counted, request=request))
        except InvalidBulk as error:
            faults = [text for _pointer, text in error.errors]
    context = question(request, scope, chosen, kind, counted) | {"faults": faults}
    return render(request, "jobs/bulk_new.html", context, status=400 if faults else 200)


def begun_page(request: HttpRequest, made: BulkOperation) -> HttpResponse:
    if made.start_at > made.created_at:
        text = _("It begins in %(seconds)s s.") % {"seconds": undo_seconds(made.kind)}
        tell_undoable(request, text, address=f"/bulk-operations/{made.pk}/stop/", until=made.start_at)
    return redirect("bulk_operation", made.pk)


def is_confirmed(request: HttpRequest, counted: Count) -> bool:
    """The question was answered; a large number must have been typed, as it was shown."""
    if request.method != "POST" or "until" not in request.POST or not counted.jobs:
        return False
    return counted.jobs <= TYPE_COUNT_ABOVE or typed(request) == str(counted.jobs)


def typed(request: HttpRequest) -> str:
    return "".join(request.POST.get("count", "").split())


def question(request: HttpRequest, scope: Scope, chosen: Chosen, kind: str, counted: Count) -> dict[str, Any]:
    narrowing = chosen.form.narrowing()
    place = scope.org.slug + (f"/{narrowing['queue']}" if "queue" in narrowing else "")
    return {
        "kind": kind,
        "label": LABELS[kind],
        "explained": EXPLAINED[kind],
        "says": asks(kind, counted.jobs, counted.more, place),
        "counted": counted,
        "until": counted.at.isoformat(),
        "must_type": counted.jobs > TYPE_COUNT_ABOVE,
        "mistyped": request.method == "POST" and typed(request) != str(counted.jobs),
        "chosen": chosen,
        "narrowing": narrowing,
        "undo_seconds": undo_seconds(kind),
        "parameters": KINDS[kind].parameters,
        "urgencies": list(URGENCY_FACTOR),
        "queues": queue_names(scope),
        "sent": request.POST,
    }


def queue_names(scope: Scope) -> list[str]:
    return list(Queue.objects.for_org(scope.org).order_by("name").values_list("name", flat=True)[:SUGGESTIONS])


def choice(scope: Scope, chosen: Chosen) -> dict[str, Any]:
    acts = [
        {"word": word, "label": LABELS[word], "explained": EXPLAINED[word], "may": scope.can(KINDS[word].action)}
        for word in chosen.kinds
    ]
    return {"chosen": chosen, "narrowing": chosen.form.narrowing(), "acts": acts}


@org_page(Action.READ)
def bulk_count(request: HttpRequest, scope: Scope) -> HttpResponse:
    """How many jobs match, for the line that offers to act on all of them."""
    chosen = chosen_by(request, scope)
    jobs = Job.objects.for_org(scope.org).staying()
    try:
        with bounded():
            jobs = narrowed(jobs.dead_letters() if chosen.of == "dead-letters" else jobs, chosen.filters())
            found = len(jobs.values_list("pk")[: COUNTED + 1])
    except TooSlow:
        return JsonResponse({"jobs": None, "more": True})
    return JsonResponse({"jobs": min(found, COUNTED), "more": found > COUNTED})


@org_page(Action.CANCEL, methods=("POST",))
def bulk_selected(request: HttpRequest, scope: Scope) -> HttpResponse:
    """One of the kinds on the ticked jobs; its page tells what became of each."""
    kind = request.POST.get("kind", "")
    if kind not in KINDS:
        raise BadRequest(_("There is no such act."))
    scope_of(request, KINDS[kind].action)
    ids = ticked(request)
    if not ids:
        messages.info(request, _("Nothing was selected."))
        return back(request, "/jobs/")
    try:
        soon_done(request, scope, kind, ids, parameters_of(request, kind), reason="selected in the list")
    except InvalidBulk as error:
        messages.error(request, " ".join(text for _pointer, text in error.errors))
    return back(request, "/jobs/")
