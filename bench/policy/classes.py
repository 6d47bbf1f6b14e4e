"""How good the classifier is: python -m bench.policy.classes [FILE ...].

Files of labelled texts (CSV, gzipped: text, title, body, category, priority), or the folder SMARTQUEUE_TICKETS. At each
number of labels ours stands beside TF-IDF and logistic regression of scikit-learn, fitted to the same labels and asked
about the same held-out texts; then the shipped classifier, and what an answer and a training cost. Times are of the
processor, so that what else runs on the machine does not count.
"""

import csv
import gzip
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_union

from bench import results
from predictor import calibration, classifier, scoring
from predictor.classifier import DEFAULT_LABELS, Labelled, Text
from predictor.classifier_fit import fit_with

NAME = "policy-classes"
TICKETS = "SMARTQUEUE_TICKETS"
HELD_OUT = 1_500
SIZES = {50: 6, 200: 4, 1_000: 2, 10_000: 1}  # labels, and how many random splits are averaged
FOLDS = 5
STRENGTH = 10.0  # C of the logistic regression, the better of 1 and 10 on these sets
REPEATS = 20  # of what is timed; the fastest counts
LATEST_SHARE = 5  # of a file's rows, the last one in so many is held out in the split by time
SUBMISSIONS = Path(__file__).parent / "submissions.psv"  # written after everything the shipped classifier learns from

Said = tuple[list[str], list[float]]  # labels and confidences


def main() -> None:
    report = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "numpy": np.__version__,
        "sets": {name_of(path): one_set(read(path)) for path in paths()},
        "shipped": shipped(),
        "costs": costs(),
    }
    results.write(NAME, report)
    print(json.dumps(report, indent=2))


def paths() -> list[Path]:
    """Those named, or those of the folder."""
    if named := sys.argv[1:]:
        return [Path(name) for name in named]
    folder = os.environ.get(TICKETS)
    return sorted(Path(folder).glob("*.csv.gz")) if folder else sys.exit(f"name files, or a folder in {TICKETS}")


def name_of(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".csv")


def read(path: Path) -> list[Labelled]:
    csv.field_size_limit(1 << 24)
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [Labelled(Text(row["title"], row["body"]), row["category"], row["priority"].lower()) for row in rows]


def one_set(examples: list[Labelled]) -> dict[str, Any]:
    labels = sorted({str(one.category) for one in examples})
    table = {str(size): at_size(examples, labels, size, splits) for size, splits in SIZES.items()}
    earliest = len(examples) - len(examples) // LATEST_SHARE
    by_time = one_round(examples[:earliest][-max(SIZES) :], examples[earliest:], labels)
    return {"texts": len(examples), "categories": len(labels), "labels": table, "by_time": by_time}


def at_size(examples: list[Labelled], labels: list[str], size: int, splits: int) -> dict[str, Any]:
    """The mean over random splits of what each says."""
    rounds = []
    for seed in range(splits):
        order = np.random.default_rng(seed).permutation(len(examples))
        held_out = [examples[place] for place in order[:HELD_OUT]]
        learned = [examples[place] for place in order[HELD_OUT : HELD_OUT + size]]
        rounds.append(one_round(learned, held_out, labels))
    averaged: dict[str, Any] = mean(rounds)
    return averaged


def one_round(learned: list[Labelled], held_out: list[Labelled], labels: list[str]) -> dict[str, Any]:
    started = time.process_time()
    fitted = classifier.fit(learned, labels, None)
    seconds = time.process_time() - started
    unruled = fit_with(learned, labels, None, base_weight=0.0, rules_weight=0.0)
    return {
        "ours": {**asked(fitted.classifier, held_out), "fit_seconds": seconds},
        "ours_without_rules": {"category": asked(unruled.classifier, held_out)["category"]},
        "logistic_regression": peer(learned, held_out),
        "bytes": float(len(classifier.dump(fitted.classifier))),
    }


def asked(model: classifier.Classifier, held_out: list[Labelled], *, with_type: bool = True) -> dict[str, Any]:
    texts = [one.text if with_type else one.text._replace(type="") for one in held_out]
    answers = model.classify(texts)
    category: Said = [one.category for one in answers], [one.confidence for one in answers]
    urgency: Said = [one.urgency for one in answers], [one.urgency_confidence for one in answers]
    return {
        "category": figures(category, [str(one.category) for one in held_out]),
        "urgency": figures(urgency, [str(one.urgency) for one in held_out]),
    }


def figures(said: Said, actual: list[str]) -> dict[str, float]:
    chosen, confidence = np.array(said[0]), np.array(said[1], np.float32)
    right = (chosen == np.array(actual)).astype(np.float32)
    kinds = sorted({*actual, *said[0]})
    places = {label: place for place, label in enumerate(kinds)}
    sure = confidence >= classifier.UNSURE
    return {
        "accuracy": float(right.mean()),
        "macro_f1": scoring.macro_f1(
            np.array([places[one] for one in said[0]]), np.array([places[one] for one in actual])
        ),
        "calibration_error": calibration.error(confidence, right),
        "sure": float(sure.mean()),
        "accuracy_where_sure": float(right[sure].mean()) if sure.any() else 1.0,
    }


def peer(learned: list[Labelled], held_out: list[Labelled]) -> dict[str, Any]:
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    parts = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    union = make_union(words, parts)
    started = time.process_time()
    known, new = union.fit_transform([*map(joined, learned)]), union.transform([*map(joined, held_out)])
    out: dict[str, Any] = {}
    for name in ("category", "urgency"):
        model = LogisticRegression(C=STRENGTH, max_iter=200).fit(known, [getattr(one, name) for one in learned])
        sure = model.predict_proba(new)
        said: Said = model.classes_[sure.argmax(axis=1)].tolist(), sure.max(axis=1).tolist()
        out[name] = figures(said, [getattr(one, name) for one in held_out])
    return {**out, "fit_seconds": time.process_time() - started}


def joined(example: Labelled) -> str:
    return f"{example.text.title} {example.text.description}"


def shipped() -> dict[str, Any]:
    """Cross-validated over its own samples, and over submissions it does not know where a folder holds them."""
    own = classifier.samples()
    order = np.random.default_rng(0).permutation(len(own))
    rounds = []
    for fold in range(FOLDS):
        learned = [own[place] for number, place in enumerate(order) if number % FOLDS != fold]
        model = fit_with(learned, DEFAULT_LABELS, None, base_weight=0.0, rules_weight=classifier.RULES_WEIGHT)
        rounds.append(with_and_without_type(model.classifier, [own[place] for place in order[fold::FOLDS]]))
    report: dict[str, Any] = {"samples": len(own), "cross_validated": mean(rounds)}
    dev = Path(os.environ.get(TICKETS, "")) / "jobs_dev.psv"
    for path in (SUBMISSIONS, *([dev] if dev.is_file() else [])):
        report[path.stem] = with_and_without_type(classifier.default(), submissions(path))
    return report


def submissions(path: Path) -> list[Labelled]:
    """Lines of type|title|description|category|urgency."""
    lines = [line.split("|") for line in path.read_text(encoding="utf-8").splitlines() if line]
    return [Labelled(Text(row[1], row[2], row[0]), row[3], row[4].lower()) for row in lines]


def with_and_without_type(model: classifier.Classifier, examples: list[Labelled]) -> dict[str, Any]:
    return {"with_type": asked(model, examples), "without_type": asked(model, examples, with_type=False)}


def costs() -> dict[str, float]:
    """Microseconds a text, asked one by one and all at once, of the shipped classifier's own samples."""
    texts = [one.text for one in classifier.samples()]
    model = classifier.default()
    return {
        "us_single": round(float(np.mean([fastest(partial(model.classify, [text])) for text in texts])), 1),
        "us_in_batches": round(fastest(partial(model.classify, texts)) / len(texts), 1),
        "shipped_bytes": classifier.WEIGHTS.stat().st_size,
    }


def fastest(call: Callable[[], object]) -> float:
    """Microseconds of the processor."""
    spent = []
    for _ in range(REPEATS):
        started = time.process_time()
        call()
        spent.append(time.process_time() - started)
    return min(spent) * 1e6


def mean(rounds: Sequence[Any]) -> Any:
    """Of numbers in nested objects of the same shape."""
    if isinstance(rounds[0], dict):
        return {name: mean([one[name] for one in rounds]) for name in rounds[0]}
    return round(float(np.mean(rounds)), 4)


if __name__ == "__main__":
    main()
