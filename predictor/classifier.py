"""What a job is about and how urgent it is, from its words: what others use of the classifier.

Hashed words and parts of words (text) are scored by softmax regression (softmax, linear), beside rules of whole words
(word_rules), the labels' own names and the shipped model (priors); temperature scaling (calibration) makes the
confidence honest. `default` needs nothing learned; `fit` learns from what people said.
"""

from functools import cache
from pathlib import Path

from predictor.archive import WeightsError
from predictor.classification import UNSURE, Classification, Classifier
from predictor.classifier_fit import Fitted, Labelled, fit, fit_with
from predictor.classifier_weights import dump, load
from predictor.priors import URGENCIES
from predictor.text import Text

__all__ = [
    "DEFAULT_LABELS",
    "UNSURE",
    "URGENCIES",
    "Classification",
    "Classifier",
    "Fitted",
    "Labelled",
    "Text",
    "WeightsError",
    "default",
    "dump",
    "fit",
    "load",
    "recommended_action",
    "samples",
    "train_default",
]

DEFAULT_LABELS = ("Infrastructure", "Database", "Application", "Network")
SAMPLES = Path(__file__).parent / "samples"
WEIGHTS = Path(__file__).parent / "classifier.weights"
# Of the shipped model: its samples are few, and the rules were made for the same labels.
RULES_WEIGHT = 1.0

_ACTIONS = {
    ("Infrastructure", "high"): "Page whoever is on call for the hosts; move work away from the one concerned.",
    ("Infrastructure", "medium"): "Look at the load and the free space of the host today, before it gets urgent.",
    ("Infrastructure", "low"): "Plan it for the next maintenance window.",
    ("Database", "high"): "Page whoever is on call for the database; stop what writes until its state is known.",
    ("Database", "medium"): "Look at slow queries, locks and connections today.",
    ("Database", "low"): "Run it outside of busy hours.",
    ("Application", "high"): "Tell the team of the application now; consider taking the last release back.",
    ("Application", "medium"): "Open a ticket for the team of the application, with the job's error and log.",
    ("Application", "low"): "Put it on the list of the team of the application.",
    ("Network", "high"): "Page whoever is on call for the network; check routes, names and certificates.",
    ("Network", "medium"): "Measure latency and loss between both ends today.",
    ("Network", "low"): "Plan it with whoever looks after the network.",
}
_PACE = {"high": "now", "medium": "today", "low": "when there is time"}


@cache
def default() -> Classifier:
    """The shipped classifier of DEFAULT_LABELS; read once."""
    return load(WEIGHTS.read_bytes())


def samples() -> list[Labelled]:
    """What the shipped classifier learns from: job submissions of our own making, of each of DEFAULT_LABELS."""
    return [
        _sample(label, line)
        for label in DEFAULT_LABELS
        for line in (SAMPLES / f"{label.lower()}.psv").read_text(encoding="utf-8").splitlines()
    ]


def train_default() -> Fitted:
    """Learn the shipped classifier again from `samples`; the same samples give the same one."""
    return fit_with(samples(), DEFAULT_LABELS, None, base_weight=0.0, rules_weight=RULES_WEIGHT)


def recommended_action(category: str, urgency: str) -> str:
    """What to do about such a job, in a sentence; of labels that are none of the default set too."""
    known = _ACTIONS.get((category, urgency))
    return known or f"Hand it to whoever looks after {category}, {_PACE.get(urgency, 'today')}."


def _sample(label: str, line: str) -> Labelled:
    type, title, description, urgency = line.split("|")
    return Labelled(Text(title, description, type), label, urgency.lower())
