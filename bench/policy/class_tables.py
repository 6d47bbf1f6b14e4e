"""The figures of the classifier as tables, for docs/classification.md."""

from collections.abc import Iterator
from typing import Any

from bench.tables import table

WHO = {
    "ours": "SmartQueue",
    "ours_without_rules": "without rules",
    "logistic_regression": "scikit-learn",
}
UNKNOWN = {
    "cross_validated": "its samples, cross-validated",
    "submissions": "submissions written after all else",
    "jobs_dev": "submissions known when the word lists were written",
}


def of_classes(report: dict[str, Any]) -> str:
    """All tables of bench/results/policy-classes.json."""
    sets, shipped, costs = report["sets"], report["shipped"], report["costs"]
    sizes = ", ".join(f"{name}: {one['texts']:,} in {one['categories']} categories" for name, one in sets.items())
    parts = [
        f"Measured {report['measured_at'][:10]}, NumPy {report['numpy']}, {report['cores']} cores. Texts held back for"
        f" measuring: {sizes}. Each cell: accuracy / macro-F1 / expected calibration error / share of answers with a"
        " confidence of 0.6 or more → accuracy there. “all” are at most 10,000 labels, “by time” learns from the first"
        " four fifths of the file and answers the last.",
        "Category.",
        table(["", *WHO.values()], list(rows(sets, "category", WHO))),
        "Urgency.",
        table(["", "SmartQueue", "scikit-learn"], list(rows(sets, "urgency", ("ours", "logistic_regression")))),
        f"The shipped classifier, which learned from {shipped['samples']} samples: category, then urgency.",
        table(
            ["", "with the job's type", "without"],
            [
                [words, *(both(shipped[name][how]) for how in ("with_type", "without_type"))]
                for name, words in UNKNOWN.items()
                if name in shipped
            ],
        ),
        f"An answer takes {costs['us_single']:.0f} µs alone and {costs['us_in_batches']:.0f} µs among others, in the"
        f" processor's time; trainings on the most labels took {seconds(sets)}. Stored weights are at most"
        f" {largest(sets) / 1000:,.0f} kB, the shipped ones {costs['shipped_bytes'] / 1000:.0f} kB.",
    ]
    return "\n\n".join(parts)


def rows(sets: dict[str, Any], what: str, who: Any) -> Iterator[list[str]]:
    for name, one in sets.items():
        for labels, said in (*one["labels"].items(), ("by time", one["by_time"])):
            words = "all" if labels == "10000" else labels
            yield [f"{name}, {words}", *(cell(said[each][what]) for each in who)]


def cell(of: dict[str, float]) -> str:
    return (
        f"{of['accuracy']:.3f} / {of['macro_f1']:.3f} / {of['calibration_error']:.3f} /"
        f" {of['sure']:.2f} → {of['accuracy_where_sure']:.2f}"
    )


def both(of: dict[str, Any]) -> str:
    return f"{cell(of['category'])}; {cell(of['urgency'])}"


def seconds(sets: dict[str, Any]) -> str:
    return ", ".join(f"{most(one)['ours']['fit_seconds']:.0f} s ({name})" for name, one in sets.items())


def largest(sets: dict[str, Any]) -> float:
    return max(float(said["bytes"]) for one in sets.values() for said in one["labels"].values())


def most(one: dict[str, Any]) -> Any:
    """Of one set, what was measured at the largest number of labels."""
    return one["labels"][max(one["labels"], key=int)]
