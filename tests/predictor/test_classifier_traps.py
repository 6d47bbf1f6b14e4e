"""Sentences that mislead those who look for letters instead of words, and submissions nothing was learned from."""

from pathlib import Path

import pytest

from predictor import classifier, word_rules
from predictor.classifier import DEFAULT_LABELS, Labelled, Text, default, fit

SUBMISSIONS = Path(__file__).parents[2] / "bench" / "policy" / "submissions.psv"
NO_ALARM = [
    "Download report",
    "Update the download page",
    "Dropdown has the wrong colour",
    "Slowdown of the intro video, cosmetic",
    "Markdown export of the manual",
    "Send the rundown of the month",
    "Countdown banner for the sale",
    "Shutdown of the old test machines, planned",
    "Deadline reminder for the newsletter",
    "Add a headless browser to the tests",
    "Uncritical typo on the help page",
    "Outages report of last year",
    "No outage expected during the upgrade",
    "Nothing is down, just a question",
    "Simulate an outage in the test environment",
    "Checklist for a data loss drill",
    "Postmortem of the crash in May",
    "This is not urgent",
]
NOT_DATABASE = ["Feedback form", "Adblock list", "Turntable picture, resize it", "Goodbye mail", "Handbook as PDF"]
NOT_NETWORK = ["Import of the catalogue", "Shipping labels", "Support mailing", "Clip art for the newsletter"]


@pytest.mark.parametrize("title", NO_ALARM)
def test_no_alarm(title: str) -> None:
    (answer,) = default().classify([Text(title)])
    assert answer.urgency != "high"


@pytest.mark.parametrize("title", NOT_DATABASE)
def test_no_database(title: str) -> None:
    (answer,) = default().classify([Text(title)])
    assert answer.category != "Database"
    assert word_rules.classify(Text(title), DEFAULT_LABELS)[0] != "Database"


@pytest.mark.parametrize("title", NOT_NETWORK)
def test_no_network(title: str) -> None:
    assert word_rules.classify(Text(title), DEFAULT_LABELS)[0] != "Network"


@pytest.mark.parametrize(
    "title",
    ["Der Drucker ist kaputt", "Сервер не отвечает", "数据库无法连接", "خادم", "🔥🔥🔥", "a\x00b\ud800c", "_" * 500],
)
def test_other_languages_and_no_words_at_all_are_answered(title: str) -> None:
    (answer,) = default().classify([Text(title, title, title)])
    assert answer.category in DEFAULT_LABELS
    assert 0.0 < answer.confidence <= 1.0


def test_a_phrase_is_heard_instead_of_its_words() -> None:
    labels = DEFAULT_LABELS
    assert word_rules.classify(Text("Production database is down"), labels)[1] == "high"
    assert word_rules.classify(Text("Production database is not down"), labels)[1] != "high"
    assert word_rules.classify(Text("xyzzy"), labels) == (None, None, 0.0)


def test_the_name_of_an_own_label_is_enough_before_anything_is_learned() -> None:
    fitted = fit([], ("Payroll", "Fleet management", "Canteen"), default())
    said = fitted.classifier.classify([Text("Fleet management is late"), Text("Question about the canteen")])
    assert [one.category for one in said] == ["Fleet management", "Canteen"]


def test_a_category_may_be_named_like_an_urgency() -> None:
    fitted = fit([], ("High", "Low"), default())
    (answer,) = fitted.classifier.classify([Text("Everything is down, total outage")])
    assert answer.probabilities["High"] == pytest.approx(0.5, abs=0.05)


def test_rules_and_base_fade_as_labels_come() -> None:
    weights = []
    for count in (0, 50, 500):
        examples = [Labelled(Text(f"word{number % 9} thing"), "Network", "low") for number in range(count)]
        model = fit(examples, DEFAULT_LABELS, default()).classifier
        weights.append((model.rules_weight, model.base_weight))
    assert weights == sorted(weights, reverse=True)
    assert weights[0] == (1.0, 1.0)
    assert weights[2][0] < 0.1


def test_a_base_is_not_stacked_on_a_base() -> None:
    once = fit([Labelled(Text("printer"), "Network", "low")] * 9, DEFAULT_LABELS, default()).classifier
    twice = fit([Labelled(Text("printer"), "Network", "low")] * 9, DEFAULT_LABELS, once).classifier
    assert twice.base is once.base
    assert twice.version == once.version


@pytest.mark.parametrize(("with_type", "category", "urgency"), [(True, 0.85, 0.80), (False, 0.75, 0.75)])
def test_submissions_it_has_not_learned_from(with_type: bool, category: float, urgency: float) -> None:
    rows = [line.split("|") for line in SUBMISSIONS.read_text(encoding="utf-8").splitlines()]
    said = default().classify([Text(row[1], row[2], row[0] if with_type else "") for row in rows])
    right = [one.category == row[3] for one, row in zip(said, rows, strict=True)]
    in_time = [one.urgency == row[4].lower() for one, row in zip(said, rows, strict=True)]
    assert sum(right) >= category * len(rows)
    assert sum(in_time) >= urgency * len(rows)
    known = {(one.text.title, one.text.description) for one in classifier.samples()}
    assert not any((row[1], row[2]) in known for row in rows)
