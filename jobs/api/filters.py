"""What lists are asked for: closed lists of parameters and words, so that nothing else ever reaches a query."""

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from rest_framework import serializers
from rest_framework.request import Request

from jobs.api.fields import MomentField, QueueNameField, TextField, WordsField
from jobs.api.serializers import STATUSES, URGENCIES
from jobs.categories import categories_of
from jobs.handlers import registry
from jobs.listing import NEWEST, Filters, Sort, parse_sort, parse_statuses
from jobs.models.classification import CATEGORY_CHARACTERS
from jobs.queue.new_job import TAG
from jobs.search.language import NotUnderstood, parse
from jobs.states import COMPATIBLE
from orgs.models import SLUG_PATTERN, Org
from orgs.pagination import KeysetPagination
from orgs.serializers import StrictSerializer

# Word of the API: word of jobs.listing.
SORTS = {
    "created": "created",
    "finished": "finished",
    "name": "name",
    "priority": "priority",
    "predicted_ms": "predicted",
    "runtime_ms": "runtime",
}
COMPATIBLE_WORDS = list(COMPATIBLE)
STATUS_WORDS = [*STATUSES, *COMPATIBLE_WORDS]
LARGEST_INT = 2**31 - 1
REPLAYED = {"": None, "true": True, "false": False}


class QuerySerializer(StrictSerializer):
    """A query string. A parameter that is not known, empty, or given twice, is refused."""

    @classmethod
    def asked(cls, request: Request) -> dict[str, Any]:
        query = cls(data=request.query_params)
        query.is_valid(raise_exception=True)
        return dict(query.validated_data)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, QueryDict):
            single = [name for name, field in self.fields.items() if not isinstance(field, serializers.ListField)]
            faults = {name: ["Give this once."] for name in single if len(data.getlist(name)) > 1}
            # DRF would take an empty value for none
            faults |= {name: ["Give this a value, or leave it out."] for name in single if data.get(name) == ""}
            if faults:
                raise serializers.ValidationError(faults)
        return super().to_internal_value(data)


class PageQuery(QuerySerializer):
    limit = serializers.IntegerField(
        required=False,
        default=KeysetPagination.page_size,
        min_value=1,
        max_value=KeysetPagination.max_page_size,
        help_text="The most items of a page.",
    )
    cursor = serializers.CharField(
        required=False, default="", max_length=2_000, help_text="The `next_cursor` of the page before."
    )


def known_type(word: str) -> None:
    if word not in registry.types():
        raise serializers.ValidationError(f"There is no such job type; there are: {', '.join(registry.types())}.")


def understood(text: str) -> None:
    try:
        parse(text)
    except NotUnderstood as error:
        raise serializers.ValidationError(str(error)) from error


Q_HELP = (
    'Words and "quoted texts" of the name, title, description or error; an id or its end; conditions such as '
    "`payload.user.plan:pro` or `result.count:>5`. All must hold. docs/search.md"
)


class NarrowingQuery(StrictSerializer):
    """The filters that all lists of jobs have."""

    type = serializers.CharField(required=False, validators=[known_type])
    queue = QueueNameField(required=False)
    name = TextField(required=False, max_length=64, help_text="Exactly this name.")
    tag = serializers.RegexField(rf"\A{TAG.pattern}\Z", required=False)
    worker = TextField(required=False, max_length=128, help_text="That made one of its attempts.")
    error_type = TextField(required=False, max_length=128)
    fingerprint = serializers.RegexField(r"\A[0-9a-f]{16}\Z", required=False, help_text="Of GET /errors/.")
    correlation_id = serializers.CharField(required=False, max_length=128)
    replayed = serializers.ChoiceField(
        ["true", "false"], required=False, help_text="Sent back at least once, or never."
    )
    attempts_min = serializers.IntegerField(required=False, min_value=0, max_value=LARGEST_INT)
    attempts_max = serializers.IntegerField(required=False, min_value=0, max_value=LARGEST_INT)
    runtime_min_ms = serializers.IntegerField(
        required=False, min_value=0, max_value=LARGEST_INT, help_text="Of the last attempt that ended."
    )
    runtime_max_ms = serializers.IntegerField(required=False, min_value=0, max_value=LARGEST_INT)
    q = TextField(required=False, max_length=200, validators=[understood], help_text=Q_HELP)


class JobQuery(PageQuery, NarrowingQuery):
    status = WordsField(
        child=serializers.ChoiceField(STATUS_WORDS),
        required=False,
        help_text="Any of these, with commas between or the parameter repeated.",
    )
    urgency = serializers.ChoiceField(URGENCIES, required=False)
    category = TextField(required=False, max_length=CATEGORY_CHARACTERS, help_text="One of GET /classifier/.")
    creator = serializers.CharField(required=False, max_length=150, help_text="A username.")
    created_after = MomentField(required=False, help_text="At this time or later.")
    created_before = MomentField(required=False, help_text="Before this time.")
    finished_after = MomentField(required=False, help_text="Ended at this time or later.")
    finished_before = MomentField(required=False, help_text="Ended before this time.")
    batch = serializers.UUIDField(required=False, help_text="The jobs of this batch.")
    sort = serializers.ChoiceField(
        [sign + word for word in SORTS for sign in ("-", "")],
        required=False,
        default="-created",
        help_text="With a minus the greatest first. Jobs without the value come last; `created` goes by id, "
        "which holds the time of creation.",
    )


def check_category(asked: Mapping[str, Any], org: Org) -> None:
    """Raise ValidationError for a category that is none of the organisation's."""
    if "category" in asked and asked["category"] not in (known := categories_of(org)):
        raise serializers.ValidationError({"category": f"One of {', '.join(known)}."})


class PlatformJobQuery(JobQuery):
    org = serializers.RegexField(SLUG_PATTERN, required=False, help_text="The slug of an organisation.")


class DeadLetterNarrowing(NarrowingQuery):
    """Which dead letters."""

    failed_after = MomentField(required=False, help_text="At this time or later.")
    failed_before = MomentField(required=False, help_text="Before this time.")


class DeadLetterQuery(PageQuery, DeadLetterNarrowing):
    """A page of the dead letters, the latest first."""


class LogQuery(PageQuery):
    attempt = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_INT)
    after = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=LARGEST_INT,
        help_text="Only lines with a greater `sequence`: how a log is followed. Needs `attempt`.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "after" in attrs and "attempt" not in attrs:
            raise serializers.ValidationError({"after": "This needs `attempt`: each attempt counts its own lines."})
        return attrs


class TaskQuery(PageQuery):
    status = serializers.ChoiceField(COMPATIBLE_WORDS, required=False)


def filters(asked: dict[str, Any]) -> Filters:
    """What was asked of any of these lists, for jobs.listing."""
    words = asked.get("status") or []
    names = ("type", "queue", "urgency", "category", "creator", "name", "correlation_id", "error_type", "fingerprint")
    bounds = ("attempts_min", "attempts_max", "runtime_min_ms", "runtime_max_ms")
    same: dict[str, Any] = {name: asked.get(name, "") for name in (*names, "tag", "worker")}
    same |= {name: asked.get(name) for name in bounds}
    return Filters(
        statuses=parse_statuses([words] if isinstance(words, str) else words),
        created_after=asked.get("created_after"),
        created_before=asked.get("created_before"),
        finished_after=asked.get("failed_after", asked.get("finished_after")),
        finished_before=asked.get("failed_before", asked.get("finished_before")),
        replayed=REPLAYED[asked.get("replayed", "")],
        text=asked.get("q", ""),
        batch=asked.get("batch"),
        **same,
    )


def order(asked: dict[str, Any]) -> Sort:
    word = asked.get("sort", str(NEWEST))
    sign = "-" if word.startswith("-") else ""
    return parse_sort(sign + SORTS.get(word.removeprefix("-"), word.removeprefix("-")))
