"""The bridge to the classifier: what are these texts about, and how urgent are they? It never fails.

Chain: what a person said of the very text -> what is remembered of whoever would be asked -> the operator's endpoint,
if there is one -> the organisation's classifier -> the word rules alone. A classifier that raises, answers nonsense or
takes longer than CLASSIFY_MAX_SECONDS is not asked again for MODEL_REST_SECONDS.
"""

import hashlib
import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

from django.conf import settings

from jobs import chat
from jobs.active_classifier import LoadedClassifier, classifier_of
from jobs.categories import categories_of
from jobs.deadline import Overdue, within
from jobs.queue import sql
from jobs.ranking import URGENCY_FACTOR, USUAL_URGENCY
from orgs.models import Org
from predictor import word_rules
from predictor.classifier import Classification, Text

log = logging.getLogger(__name__)

# Of a description that is read, and of the words that decided that are kept.
TEXT_CHARACTERS = 4_000
MOST_WORDS, WORD_CHARACTERS = 8, 40
CACHED = "_cached"
SOURCES = ["model", "rules", "llm", "model_cached", "rules_cached", "llm_cached", "user", "user_cached"]


class Asked(NamedTuple):
    """All that a classifier is told of a job."""

    type: str
    title: str
    description: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps(self).encode()).hexdigest()

    @property
    def text(self) -> Text:
        return Text(self.title, self.description, self.type)


@dataclass(frozen=True, slots=True)
class Answer:
    """An empty category: nothing speaks for any. Confidences and probabilities are from 0 to 1."""

    category: str
    urgency: str
    confidence: float
    urgency_confidence: float
    # One of SOURCES.
    source: str
    words: tuple[str, ...] = ()
    probabilities: Mapping[str, float] | None = None
    # How much words pulled towards the category; below 0, away from it. Not of what was remembered before it was told.
    pulls: Mapping[str, float] | None = None

    @property
    def sure_of_urgency(self) -> bool:
        """Whether a job may be moved for it."""
        return 100 * self.urgency_confidence >= settings.CLASSIFY_URGENCY_MIN_PERCENT

    @property
    def remembered(self) -> bool:
        return self.source.endswith(CACHED)


def asked_of(type: str, title: str, description: str) -> Asked:
    return Asked(type, title, description[:TEXT_CHARACTERS])


def answer_many(org: Org, asked: Sequence[Asked]) -> list[Answer]:
    """In the order asked. Call it outside of transactions: an endpoint takes its time."""
    categories = categories_of(org)
    local = classifier_of(org, categories)
    texts = {one.digest: one for one in asked}
    versions = endpoint_version(categories), local.model.version
    people, memory = recall(org, list(texts), versions)
    answers = {digest: said for digest in texts if (said := by_people(people.get(digest, {}), None, categories))}
    answers |= by_machine({digest: one for digest, one in texts.items() if digest not in answers}, org, local, memory)
    answers = {digest: by_people(people.get(digest, {}), one, categories) or one for digest, one in answers.items()}
    return list(in_order(asked, answers))


def preview(org: Org, asked: Asked) -> Answer:
    """What would be answered to a text that somebody types: at once, so no endpoint is asked, and nothing is kept."""
    categories = categories_of(org)
    local = classifier_of(org, categories)
    people, memory = recall(org, [asked.digest], [local.model.version])
    answer = memory.get((asked.digest, local.model.version))
    if answer is None:
        answer = by_classifier(local, {asked.digest: asked}, categories).get(asked.digest)
    answer = answer or by_rules(asked, categories)
    return by_people(people.get(asked.digest, {}), answer, categories) or answer


def in_order(asked: Sequence[Asked], answers: Mapping[str, Answer]) -> Iterator[Answer]:
    """The second job of one text in a batch has its answer from memory too."""
    seen: set[str] = set()
    for one in asked:
        yield repeated(answers[one.digest], again=one.digest in seen)
        seen.add(one.digest)


Memory = Mapping[tuple[str, str], Answer]


def recall(org: Org, digests: Sequence[str], versions: Sequence[str]) -> tuple[dict[str, dict[str, str]], Memory]:
    """What people said of these texts, and what these versions answered to them."""
    people: dict[str, dict[str, str]] = {}
    memory: dict[tuple[str, str], Answer] = {}
    for row in sql.run("known_answers", org_id=org.pk, digests=digests, versions=[word for word in versions if word]):
        if row.version is None:
            people[row.digest] = row.answer
        else:
            memory[row.digest, row.version] = repeated(
                Answer(**{**row.answer, "words": tuple(row.answer["words"])}), again=True
            )
    return people, memory


def repeated(answer: Answer, *, again: bool) -> Answer:
    """The same, said to be from memory."""
    return replace(answer, source=answer.source + CACHED) if again and not answer.remembered else answer


def by_people(said: Mapping[str, str], answer: Answer | None, categories: Sequence[str]) -> Answer | None:
    """What people said of this text, the rest as the answer has it; None where they did not say all that is needed.

    A category that is none of the organisation's any more does not count.
    """
    category = said.get("category", "") if said.get("category") in categories else ""
    urgency = said.get("urgency", "")
    if category and urgency:
        return Answer(category, urgency, 1.0, 1.0, "user" + CACHED, probabilities={category: 1.0})
    if answer is None or not (category or urgency):
        return None
    if category:
        return replace(answer, category=category, confidence=1.0, source="user" + CACHED, words=(), pulls=None)
    return replace(answer, urgency=urgency, urgency_confidence=1.0, source="user" + CACHED)


def by_machine(texts: Mapping[str, Asked], org: Org, local: LoadedClassifier, memory: Memory) -> dict[str, Answer]:
    """From memory or anew: of the endpoint where it answers, else of the classifier, else by the rules alone."""
    categories = categories_of(org)
    endpoint, version = endpoint_version(categories), local.model.version
    answers = {digest: memory[digest, endpoint] for digest in texts if (digest, endpoint) in memory}
    asked_now = by_endpoint(missing(texts, answers), categories) if endpoint else {}
    answers |= asked_now
    answers |= {digest: memory[digest, version] for digest in missing(texts, answers) if (digest, version) in memory}
    read_now = by_classifier(local, missing(texts, answers), categories)
    answers |= read_now
    answers |= {digest: by_rules(one, categories) for digest, one in missing(texts, answers).items()}
    remember(org, {endpoint: asked_now, version: read_now})
    return answers


def missing(texts: Mapping[str, Asked], answers: Mapping[str, Answer]) -> dict[str, Asked]:
    return {digest: one for digest, one in texts.items() if digest not in answers}


def endpoint_version(categories: Sequence[str]) -> str:
    """What its answers are remembered under; empty without one."""
    if not chat.configured():
        return ""
    asked = json.dumps([settings.CLASSIFIER_URL, settings.CLASSIFIER_MODEL, sorted(categories)])
    return f"llm-{hashlib.sha256(asked.encode()).hexdigest()[:16]}"


def by_endpoint(texts: Mapping[str, Asked], categories: Sequence[str]) -> dict[str, Answer]:
    """Of those that it answered."""
    said = chat.ask_many([one.text for one in texts.values()], categories)
    return {
        digest: Answer(
            one.category, one.urgency, one.confidence, one.confidence, "llm", (), {one.category: one.confidence}
        )
        for digest, one in zip(texts, said, strict=True)
        if one is not None
    }


def by_classifier(local: LoadedClassifier, texts: Mapping[str, Asked], categories: Sequence[str]) -> dict[str, Answer]:
    """None of them, and it rests, when it failed in any way."""
    if not texts or local.resting:
        return {}
    about = {"version": local.version}
    try:
        read = [one.text for one in texts.values()]
        found = within(settings.CLASSIFY_MAX_SECONDS, lambda: local.model.classify(read))
        if len(found) == len(texts) and all(usable(one, categories) for one in found):
            return {digest: answer_of(one) for digest, one in zip(texts, found, strict=True)}
        log.error("the classifier's answers are unusable; it rests", extra=about)
        local.rest()
    except Overdue as overdue:
        log.error("the classifier took too long; it rests", extra=about)
        local.rest(overdue.thread)
    except Exception:
        log.exception("the classifier failed; it rests", extra=about)
        local.rest()
    return {}


def usable(found: Classification, categories: Sequence[str]) -> bool:
    return (
        found.category in categories
        and found.urgency in URGENCY_FACTOR
        and found.source in SOURCES
        and all(isinstance(word, str) for word in found.words)
        and all(chat.is_share(float(each)) for each in (found.confidence, found.urgency_confidence))
        and all(chat.is_share(float(each)) for each in found.probabilities.values())
        and all(isinstance(word, str) and math.isfinite(pull) for word, pull in found.pulls)
    )


def answer_of(found: Classification) -> Answer:
    words = tuple(word[:WORD_CHARACTERS] for word in found.words[:MOST_WORDS])
    shares = {name: round(float(share), 4) for name, share in found.probabilities.items()}
    confidences = float(found.confidence), float(found.urgency_confidence)
    pulls = {word[:WORD_CHARACTERS]: round(float(pull), 3) for word, pull in found.pulls[:MOST_WORDS]}
    return Answer(found.category, found.urgency, *confidences, found.source, words, shares, pulls)


def by_rules(one: Asked, categories: Sequence[str]) -> Answer:
    try:
        category, urgency, strength = word_rules.classify(one.text, tuple(categories))
    except Exception:
        log.exception("the word rules failed")
        category, urgency, strength = None, None, 0.0
    return Answer(category or "", urgency or USUAL_URGENCY, strength, strength, "rules")


def remember(org: Org, found: Mapping[str, Mapping[str, Answer]]) -> None:
    """By version and digest."""
    rows = [
        {"digest": digest, "version": version, "answer": asdict(answer)}
        for version, answers in found.items()
        for digest, answer in answers.items()
    ]
    if rows:
        sql.run("keep_answers", org_id=org.pk, answers=json.dumps(rows))
