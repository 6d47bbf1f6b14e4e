"""What people made of what the classifier told: as a matrix, and one by one."""

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.classifier_facts import Confused
from jobs.models import ClassifierVersion, Label
from orgs.models import Org

# Of a matrix that can be read: the categories that are named most; and the newest corrections.
MOST_CATEGORIES = 12
NEWEST = 20
NOTHING = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """`share` of all that were told so; a confirmation stands on the diagonal."""

    jobs: int
    share: float
    same: bool


@dataclass(frozen=True, slots=True)
class Matrix:
    """A row for what was told, a column for what people said; `left_out` corrections are of other categories."""

    columns: list[str]
    rows: list[tuple[str, list[Cell]]]
    left_out: int


def matrix(confused: Sequence[Confused]) -> Matrix | None:
    """None where nothing was corrected."""
    if not confused:
        return None
    named: dict[str, int] = {}
    for one in confused:
        for name in {one.told, one.corrected} - {NOTHING}:
            named[name] = named.get(name, 0) + one.jobs
    columns = sorted(sorted(named, key=lambda name: -named[name])[:MOST_CATEGORIES])
    counts = {(one.told, one.corrected): one.jobs for one in confused}
    rows = []
    for told in [*columns, NOTHING]:
        whole = sum(counts.get((told, said), 0) for said in columns)
        if whole or told:
            cells = [(said, counts.get((told, said), 0)) for said in columns]
            rows.append((told, [Cell(jobs, jobs / whole if whole else 0.0, said == told) for said, jobs in cells]))
    shown = sum(cell.jobs for _, cells in rows for cell in cells)
    return Matrix(columns, rows, sum(one.jobs for one in confused) - shown)


@dataclass(frozen=True, slots=True)
class Correction:
    """`learnt` is the first version that was fitted to it."""

    label: Label
    learnt: int | None


def newest(org: Org, versions: Sequence[ClassifierVersion]) -> list[Correction]:
    labels = Label.objects.for_org(org).select_related("by").defer("description").order_by("-id")[:NEWEST]
    earliest_first = sorted(versions, key=lambda version: version.version)
    return [
        Correction(label, next((one.version for one in earliest_first if one.last_label_id >= label.pk), None))
        for label in labels
    ]
