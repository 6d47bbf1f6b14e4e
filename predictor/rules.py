"""Category and urgency of a text by its words alone."""

from collections.abc import Sequence

from predictor.classifier import RULES, URGENCIES, WORDS, Text


def classify(text: Text, labels: Sequence[str]) -> tuple[str | None, str | None, float]:
    words = set(WORDS.findall(f"{text.title} {text.description}".lower()))
    found = {label: len(words & set(RULES.get(label, "").split())) for label in (*labels, *URGENCIES)}
    category = max(labels, key=found.__getitem__, default=None)
    urgency = max(URGENCIES, key=found.__getitem__)
    strength = found[category] / (1 + found[category]) if category else 0.0
    return (category if category and found[category] else None, urgency if found[urgency] else None, strength)
