"""What there is to say of an organisation's classifier: for REST and its page."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings

from jobs import chat
from jobs.categories import SETTING, categories_of
from jobs.models import ClassifierCount, ClassifierVersion, Label
from orgs.models import Org

# Of the newest versions and corrections.
VERSIONS = 20
CORRECTIONS = 1_000


@dataclass(frozen=True, slots=True)
class Confused:
    """So many corrections of one category into another, or of none at all."""

    told: str
    corrected: str
    jobs: int


@dataclass(frozen=True, slots=True)
class Facts:
    """`hit_rate` is None before anything was read; `endpoint` is the model that is asked first, or empty."""

    categories: list[str]
    own_categories: bool
    active: ClassifierVersion | None
    versions: Sequence[ClassifierVersion]
    labels: int
    labels_since: int
    hits: int
    misses: int
    confused: list[Confused]
    endpoint: str

    @property
    def hit_rate(self) -> float | None:
        return self.hits / (self.hits + self.misses) if self.hits + self.misses else None

    @property
    def confirmed(self) -> int:
        """Corrections of the newest that left the category as it was told."""
        return sum(one.jobs for one in self.confused if one.told == one.corrected)


def facts(org: Org) -> Facts:
    count = ClassifierCount.objects.filter(pk=org.pk).first() or ClassifierCount(org_id=org.pk)
    versions = list(ClassifierVersion.objects.for_org(org).defer("weights").order_by("-version")[:VERSIONS])
    labels = Label.objects.for_org(org)
    known = max((version.last_label_id for version in versions), default=0)
    return Facts(
        categories=categories_of(org),
        own_categories=bool(org.job_settings.get(SETTING)),
        active=next((version for version in versions if version.active), None),
        versions=versions,
        labels=labels.count(),
        labels_since=labels.filter(pk__gt=known).count(),
        hits=count.hits,
        misses=count.misses,
        confused=confused(org),
        endpoint=settings.CLASSIFIER_MODEL if chat.configured() else "",
    )


def confused(org: Org) -> list[Confused]:
    """Of the newest corrections that name a category, the most frequent first."""
    newest = Label.objects.for_org(org).order_by("-id").values_list("told_category", "category")[:CORRECTIONS]
    counts = Counter((told, said) for told, said in newest if said)
    return [Confused(told, said, jobs) for (told, said), jobs in sorted(counts.items(), key=lambda one: (-one[1], one))]
