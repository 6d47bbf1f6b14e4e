"""What the pages say of bulk operations."""

from collections.abc import Callable

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from jobs.models import BulkOperation
from jobs.models.bulk import BulkState

# Of each kind, what the button says.
LABELS = {
    "cancel": gettext_lazy("Cancel"),
    "replay": gettext_lazy("Replay"),
    "run_now": gettext_lazy("Run now"),
    "delete": gettext_lazy("Delete"),
    "urgency": gettext_lazy("Change urgency"),
    "queue": gettext_lazy("Move to another queue"),
    "tag": gettext_lazy("Add a tag"),
    "untag": gettext_lazy("Remove a tag"),
}
EXPLAINED = {
    "cancel": gettext_lazy("Those that wait never run; the workers of those that run are told to stop."),
    "replay": gettext_lazy("Dead letters go back to their queues, each with as many attempts as it had."),
    "run_now": gettext_lazy(
        "Those that are put off, retries too, are queued at once; not those that wait for other jobs."
    ),
    "delete": gettext_lazy("Jobs that have ended go for good, with their attempts, logs and files."),
    "urgency": gettext_lazy("Those that wait move in the order of their queue."),
    "queue": gettext_lazy("Those that wait keep their turn, and go by the limits of the new queue."),
    "tag": gettext_lazy("A tag is a word to find jobs by; it changes nothing else about them."),
    "untag": gettext_lazy("Only this tag is taken off them; nothing else about them changes."),
}
STATES = {
    BulkState.PENDING: gettext_lazy("about to begin"),
    BulkState.RUNNING: gettext_lazy("running"),
    BulkState.DONE: gettext_lazy("done"),
    BulkState.STOPPED: gettext_lazy("stopped"),
    BulkState.UNDONE: gettext_lazy("undone"),
}
# By how much to choose from.
Plural = Callable[[int], str]
THIS: dict[str, Plural] = {
    "cancel": lambda n: ngettext(
        "This cancels %(jobs)s job in %(place)s.", "This cancels %(jobs)s jobs in %(place)s.", n
    ),
    "replay": lambda n: ngettext(
        "This sends %(jobs)s dead letter in %(place)s back to its queue.",
        "This sends %(jobs)s dead letters in %(place)s back to their queues.",
        n,
    ),
    "run_now": lambda n: ngettext(
        "This queues %(jobs)s scheduled job in %(place)s at once.",
        "This queues %(jobs)s scheduled jobs in %(place)s at once.",
        n,
    ),
    "delete": lambda n: ngettext(
        "This deletes %(jobs)s job in %(place)s.", "This deletes %(jobs)s jobs in %(place)s.", n
    ),
    "urgency": lambda n: ngettext(
        "This gives %(jobs)s waiting job in %(place)s another urgency.",
        "This gives %(jobs)s waiting jobs in %(place)s another urgency.",
        n,
    ),
    "queue": lambda n: ngettext(
        "This moves %(jobs)s waiting job in %(place)s to another queue.",
        "This moves %(jobs)s waiting jobs in %(place)s to another queue.",
        n,
    ),
    "tag": lambda n: ngettext(
        "This gives %(jobs)s job in %(place)s a tag.", "This gives %(jobs)s jobs in %(place)s a tag.", n
    ),
    "untag": lambda n: ngettext(
        "This takes a tag off %(jobs)s job in %(place)s.", "This takes a tag off %(jobs)s jobs in %(place)s.", n
    ),
}


def number(jobs: int, more: bool) -> str:
    text = f"{jobs:,}".replace(",", "\u202f")
    return _("more than %(jobs)s") % {"jobs": text} if more else text


def asks(kind: str, jobs: int, more: bool, place: str) -> str:
    """What it is about to do: "This cancels 4 312 jobs in acme/etl."."""
    return THIS[kind](jobs) % {"jobs": number(jobs, more), "place": place}


def title(operation: BulkOperation) -> str:
    """What it does, in a few words."""
    match operation.kind:
        case "urgency":
            return _("Urgency: %(urgency)s") % operation.parameters
        case "queue":
            return _("Move to %(queue)s") % operation.parameters
        case "tag":
            return _("Add the tag %(tag)s") % operation.parameters
        case "untag":
            return _("Remove the tag %(tag)s") % operation.parameters
        case kind:
            return str(LABELS.get(kind, kind))


def soon(kind: str, jobs: int, seconds: int) -> str:
    """What was asked for and can be undone."""
    said = {"jobs": number(jobs, more=False), "seconds": seconds}
    if kind == "delete":
        text = ngettext(
            "%(jobs)s job is deleted in %(seconds)s s.",
            "%(jobs)s jobs are deleted in %(seconds)s s.",
            jobs,
        )
    else:
        text = ngettext(
            "%(jobs)s job is cancelled in %(seconds)s s, and does not start until then.",
            "%(jobs)s jobs are cancelled in %(seconds)s s, and do not start until then.",
            jobs,
        )
    return text % said


def begun(kind: str, jobs: int) -> str:
    """What was asked for and is done right away."""
    text = ngettext("%(act)s: begun on %(jobs)s job.", "%(act)s: begun on %(jobs)s jobs.", jobs)
    return text % {"act": LABELS[kind], "jobs": number(jobs, more=False)}
