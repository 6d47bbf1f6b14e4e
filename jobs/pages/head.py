"""What stands around the list of jobs: what its filters offer, saved views, and how a person looks at it."""

from dataclasses import dataclass, field

from django.utils.translation import gettext_lazy

from jobs.models import Queue
from jobs.queue import sql
from orgs.models import Org
from orgs.scope import Scope

SUGGESTIONS = 200
LONGEST_USERNAME = 150
# The columns that may be left out or added, in their order; a row always says what its job is and how it is.
COLUMNS = {
    "queue": gettext_lazy("Queue"),
    "urgency": gettext_lazy("Urgency"),
    "priority": gettext_lazy("Priority"),
    "predicted": gettext_lazy("Predicted"),
    "actual": gettext_lazy("Actual"),
    "attempts": gettext_lazy("Attempts"),
    "arguments": gettext_lazy("Arguments"),
    "tags": gettext_lazy("Tags"),
    "created": gettext_lazy("Created"),
    "finished": gettext_lazy("Ended"),
    "by": gettext_lazy("By"),
    "correlation": gettext_lazy("Correlation id"),
}
USUAL = ("queue", "urgency", "priority", "predicted", "actual", "attempts", "created", "by")


@dataclass(frozen=True, slots=True)
class View:
    """A saved view as the list links to it."""

    id: int
    name: str
    query: str
    shared: bool
    is_default: bool

    @property
    def address(self) -> str:
        return "&".join(part for part in (self.query, f"view={self.id}") if part)


@dataclass(frozen=True, slots=True)
class Head:
    """As it was read with one statement."""

    queues: list[str] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    workers: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    views: list[View] = field(default_factory=list)
    columns: tuple[str, ...] = USUAL
    compact: bool = False
    # Who it is that is asked for as the creator; 0: nobody.
    creator_id: int | None = None

    @property
    def default(self) -> View | None:
        return next((view for view in self.views if view.is_default), None)


def head_of(scope: Scope, *, creator: str = "") -> Head:
    asked = creator.strip().replace("\0", "")[:LONGEST_USERNAME]
    (row,) = sql.run("list_head", org_id=scope.org.pk, user_id=scope.user.pk, creator=asked, most=SUGGESTIONS)
    return Head(
        queues=row.queues,
        people=row.people,
        **{f"{kind}s": row.facets.get(kind, []) for kind in ("name", "tag", "worker", "error")},
        views=[View(**view, is_default=view["id"] == row.default_view) for view in row.views],
        columns=tuple(name for name in COLUMNS if name in row.columns) or USUAL,
        compact=row.compact,
        creator_id=row.creator_id or 0,
    )


def queues_of(org: Org) -> list[str]:
    return list(Queue.objects.for_org(org).order_by("name").values_list("name", flat=True)[:SUGGESTIONS])
