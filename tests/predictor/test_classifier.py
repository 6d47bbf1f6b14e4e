"""The classifier: what it says out of the box, how it learns, and that nothing it is given upsets it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor import calibration, classifier, softmax
from predictor.archive import WeightsError
from predictor.classifier import DEFAULT_LABELS, URGENCIES, Labelled, Text, default, dump, fit, load

TOPICS = {"Printer": "paper toner tray jam scanner", "Payroll": "salary tax payslip bonus overtime"}


def say(title: str, description: str = "", type: str = "") -> classifier.Classification:
    (answer,) = default().classify([Text(title, description, type)])
    return answer


def labelled(count: int, seed: int = 0) -> list[Labelled]:
    """Short texts of two topics; urgent ones say so."""
    rng = np.random.default_rng(seed)
    examples = []
    for _ in range(count):
        topic = ("Printer", "Payroll")[rng.integers(2)]
        words = [*rng.choice(TOPICS[topic].split(), 3), *rng.choice(["the", "of", "a", "my", "this"], 2)]
        urgent = bool(rng.integers(2))
        words.append("quickly" if urgent else "eventually")
        examples.append(Labelled(Text(" ".join(rng.permutation(words))), topic, "high" if urgent else "low"))
    return examples


def right(model: classifier.Classifier, examples: list[Labelled]) -> float:
    answers = model.classify([one.text for one in examples])
    return float(np.mean([said.category == one.category for said, one in zip(answers, examples, strict=True)]))


@pytest.mark.parametrize(
    ("title", "category", "urgency"),
    [
        ("Database timeout: primary pool exhausted", "Database", "high"),
        ("Slow queries on the orders table since the upgrade", "Database", "medium"),
        ("Nightly vacuum of the events table", "Database", "low"),
        ("Disk full on the build server, nothing can be written", "Infrastructure", "high"),
        ("Weekly reboot of the test hosts", "Infrastructure", "low"),
        ("VPN is down for everybody in the office", "Network", "high"),
        ("Packet loss of two percent between the sites", "Network", "medium"),
        ("Send the monthly newsletter", "Application", "low"),
        ("Login page shows an error for all users", "Application", "high"),
    ],
)
def test_what_a_person_would_say_too(title: str, category: str, urgency: str) -> None:
    assert (say(title).category, say(title).urgency) == (category, urgency)


@pytest.mark.parametrize(
    "title",
    [
        "Download report",
        "Downloads of last month",
        "Download the countdown images",
        "Breakdown of costs by team",
        "Rundown of the week",
        "Drill: restore after an outage",
        "Nothing is down, weekly check",
        "No outage, only a test",
        "Not urgent: tidy the labels",
        "Rename the crashlytics folder",
    ],
)
def test_a_word_within_a_word_or_a_negation_raises_no_alarm(title: str) -> None:
    assert say(title).urgency != "high"


@pytest.mark.parametrize("title", ["Feedback form", "Feedback on the new form", "Adblock list for the feed"])
def test_feedback_is_not_about_a_database(title: str) -> None:
    assert say(title).category != "Database"


def test_the_words_that_decided_are_told() -> None:
    answer = say("Replication of the postgres cluster lags")
    assert {"postgres", "replication"} & set(answer.words)
    assert answer.source in {"model", "rules"}


def test_probabilities_are_of_every_label_and_sum_to_one() -> None:
    answer = say("The printer is on fire")
    assert set(answer.probabilities) == set(DEFAULT_LABELS)
    assert sum(answer.probabilities.values()) == pytest.approx(1.0, abs=1e-5)
    assert answer.confidence == max(answer.probabilities.values())


def test_a_text_without_words_is_answered_without_confidence() -> None:
    assert say("").confidence < classifier.UNSURE
    assert say("…", "—").confidence < classifier.UNSURE


def test_the_shipped_weights_are_those_of_the_samples() -> None:
    """To what another processor may round differently."""
    again = classifier.train_default().classifier
    model, shipped = again.own, default().own
    np.testing.assert_array_equal(model.vocabulary.features, shipped.vocabulary.features)
    np.testing.assert_allclose(model.weights, shipped.weights, atol=0.02)
    texts = [one.text for one in classifier.samples()]
    pairs = zip(again.classify(texts), default().classify(texts), strict=True)
    assert all((one.category, one.urgency) == (two.category, two.urgency) for one, two in pairs)


def test_the_same_examples_make_the_same_bytes() -> None:
    one, two = (dump(fit(labelled(100), list(TOPICS), default()).classifier) for _ in range(2))
    assert one == two


def test_the_shipped_one_is_right_where_it_has_not_learned() -> None:
    metrics = classifier.train_default().metrics
    assert metrics["accuracy"] >= 0.85
    assert metrics["urgency_accuracy"] >= 0.80
    assert metrics["calibration_error"] <= 0.05


def test_it_learns_labels_it_has_never_met() -> None:
    fitted = fit(labelled(300), list(TOPICS), default())
    assert right(fitted.classifier, labelled(200, seed=1)) > 0.97
    answers = fitted.classifier.classify([one.text for one in labelled(200, seed=1)])
    urgent = [one.urgency == want.urgency for one, want in zip(answers, labelled(200, seed=1), strict=True)]
    assert np.mean(urgent) > 0.95
    assert fitted.metrics["accuracy"] > 0.9
    assert fitted.metrics["held_out"] == 300.0


def test_a_correction_moves_the_answer_to_the_same_text() -> None:
    text = Text("Rotate the toner of the third floor")
    before = default().classify([text])[0].category
    other = next(label for label in DEFAULT_LABELS if label != before)
    fitted = fit([Labelled(text, other, None)] * 3, DEFAULT_LABELS, default())
    assert fitted.classifier.classify([text])[0].category == other


def test_few_labels_do_not_make_it_forget() -> None:
    """One correction must not turn everything else round."""
    sentences = [one.text for one in classifier.samples()[::7]]
    before = [one.category for one in default().classify(sentences)]
    fitted = fit([Labelled(Text("Coffee machine"), "Network", "low")], DEFAULT_LABELS, default())
    after = [one.category for one in fitted.classifier.classify(sentences)]
    assert np.mean([one == two for one, two in zip(before, after, strict=True)]) > 0.9


@pytest.mark.parametrize(
    "examples",
    [
        [],
        [Labelled(Text(""), "A", "low")],
        [Labelled(Text("word"), None, None)] * 20,
        [Labelled(Text("word"), "unknown", "soon")] * 20,
        [Labelled(Text("same words"), label, urgency) for label in "AB" for urgency in URGENCIES] * 5,
        [Labelled(Text("x" * 100_000, "y" * 100_000), "A", "high")] * 9,
        [Labelled(Text(f"only one label {number}"), "A", "high") for number in range(30)],
    ],
    ids=["none", "empty text", "no label", "unknown labels", "contradictions", "huge", "one label"],
)
def test_poor_examples_still_make_a_classifier(examples: list[Labelled]) -> None:
    fitted = fit(examples, ("A", "B"), default())
    (answer,) = fitted.classifier.classify([Text("some words")])
    assert answer.category in {"A", "B"}
    assert answer.urgency in URGENCIES
    assert np.isfinite(answer.confidence)
    assert np.isfinite(answer.urgency_confidence)


def test_many_labels_fit_within_what_an_organisation_may_take() -> None:
    labels = [f"Label {number}" for number in range(100)]
    titles = [f"word{number % 997} other{number % 89} Label {number % 100}" for number in range(3000)]
    examples = [Labelled(Text(title), labels[number % 100], None) for number, title in enumerate(titles)]
    fitted = fit(examples, labels, default(), max_seconds=20.0)
    assert len(dump(fitted.classifier)) < 8 << 20


@pytest.mark.parametrize("labels", [(), ("A", "A")])
def test_labels_must_be_some_and_distinct(labels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="distinct"):
        fit([], labels, None)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.builds(Text, st.text(max_size=60), st.text(max_size=200), st.text(max_size=20)), max_size=8))
def test_any_text_has_an_answer_and_company_does_not_change_it(texts: list[Text]) -> None:
    together = default().classify(texts)
    assert len(together) == len(texts)
    for text, answer in zip(texts, together, strict=True):
        (alone,) = default().classify([text])
        assert alone.category == answer.category
        assert alone.source == answer.source
        assert alone.confidence == pytest.approx(answer.confidence, abs=1e-4)
        assert 0.0 <= answer.urgency_confidence <= 1.0


def test_it_is_kept_and_read_back_as_it_was() -> None:
    model = fit(labelled(60), list(TOPICS), default()).classifier
    back = load(dump(model))
    texts = [one.text for one in labelled(20, seed=2)]
    assert back.version == model.version
    assert back.classify(texts) == model.classify(texts)


def test_damaged_weights_are_refused() -> None:
    data = bytearray(classifier.WEIGHTS.read_bytes())
    for place in range(0, len(data), 997):
        broken = bytes(data[:place]) + bytes([data[place] ^ 0x55]) + bytes(data[place + 1 :])
        with pytest.raises(WeightsError):
            load(broken)
    for size in (0, 10, 60, len(data) - 1):
        with pytest.raises(WeightsError):
            load(bytes(data[:size]))


def test_calibration_makes_confidence_honest() -> None:
    """Scores three times too sure are scaled back by about three."""
    rng = np.random.default_rng(5)
    logits = rng.normal(size=(4000, 5)).astype(np.float32) * 1.5
    shares = np.exp(softmax.log_softmax(logits))
    target = np.array([rng.choice(5, p=row / row.sum()) for row in shares.astype(np.float64)])
    flat = np.zeros(5, np.float32)
    found = calibration.fit(3.0 * logits, target, flat, (0.0,), calibration.Calibration())
    assert found.temperature == pytest.approx(3.0, rel=0.15)
    logs = calibration.log_probabilities(3.0 * logits, flat, found)
    confidence, answer = np.exp(logs.max(axis=1)), logs.argmax(axis=1)
    assert calibration.error(confidence, (answer == target).astype(np.float32)) < 0.03


def test_actions_are_told_for_any_label() -> None:
    told = {classifier.recommended_action(label, urgency) for label in DEFAULT_LABELS for urgency in URGENCIES}
    assert len(told) == 12
    assert "Payroll" in classifier.recommended_action("Payroll", "high")
