"""Jobs whose texts are to be read: taken, answered outside of any transaction, and told. Of two takers one tells it."""

import json
import logging
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from django.conf import settings
from django.db import Error

from jobs import chat
from jobs.classifying import TEXT_CHARACTERS, Answer, answer_many, asked_of
from jobs.queue import sql
from jobs.queue.brief import brief
from jobs.queue.rerank import set_urgency
from orgs.models import Org
from predictor.classifier import recommended_action

log = logging.getLogger(__name__)

# Whoever took jobs and says nothing for so long, beyond the time that the answers may take, is given up.
PATIENCE_SECONDS = 60.0
# With an endpoint: so many questions for each slot, so that a batch is told before its takers are given up.
QUESTIONS_A_SLOT = 2


def classify_some() -> bool:
    """Read the texts of a bounded number of jobs; whether there may be more."""
    batch = settings.CLASSIFY_BATCH
    seconds = settings.CLASSIFY_MAX_SECONDS + PATIENCE_SECONDS
    if chat.configured():
        batch = min(batch, settings.CLASSIFIER_SLOTS * QUESTIONS_A_SLOT)
        seconds += QUESTIONS_A_SLOT * settings.CLASSIFIER_TIMEOUT_SECONDS
    rows = sql.run("take_unread", batch=batch, seconds=seconds, characters=TEXT_CHARACTERS)
    orgs = Org.objects.in_bulk({row.org_id for row in rows})
    for org_id, ours in groupby(rows, key=lambda row: row.org_id):
        try:
            if org := orgs.get(org_id):
                tell(org, list(ours))
        except Error:
            raise
        except Exception:
            # those of the others are told; these are due again
            log.exception("jobs could not be told what they are about", extra={"org": org_id})
    return len(rows) == batch


def tell(org: Org, rows: Sequence[sql.Row]) -> None:
    """Ask, and write the answers: those that move a job one by one, the others by one statement."""
    answers = answer_many(org, [asked_of(row.type, row.title, row.description) for row in rows])
    told = [(row, answer, told_row(row, answer)) for row, answer in zip(rows, answers, strict=True)]
    moving = [(row, answer, one) for row, answer, one in told if moves(row, answer)]
    for row, answer, one in moving:
        with brief():
            # before its place in the order, and that before the job: as whoever corrects it
            if sql.rows("hold_unread", job_id=row.job_id):
                set_urgency(row.job_id, org, answer.urgency, by=answer.source)
                write(org, [one])
    staying = [one for row, answer, one in told if not moves(row, answer)]
    if staying:
        write(org, staying)
    remembered = sum(answer.remembered for answer in answers)
    sql.run("count_told", org_id=org.pk, hits=remembered, misses=len(answers) - remembered, corrections=0)


def moves(row: sql.Row, answer: Answer) -> bool:
    return bool(row.urgency and answer.urgency != row.given_urgency and answer.sure_of_urgency)


def write(org: Org, told: Sequence[dict[str, Any]]) -> None:
    sql.rows("classify", org_id=org.pk, told=json.dumps(told))


def told_row(row: sql.Row, answer: Answer) -> dict[str, Any]:
    """What classify.sql takes; the action is for what the job then is, whoever said it."""
    given = [name for name in ("category", "urgency") if not row[name]]
    category = answer.category if row.category else row.given_category
    urgency = answer.urgency if moves(row, answer) else row.given_urgency
    classification = classification_of(answer, category=category, urgency=urgency, given=given)
    return {"job_id": str(row.job_id), "category": answer.category, "classification": classification}


def classification_of(answer: Answer, *, category: str, urgency: str, given: Sequence[str]) -> dict[str, Any]:
    """As it is kept with the job and shown: the answer, and what to do about a job of this category and urgency."""
    return {
        "category": answer.category,
        "urgency": answer.urgency,
        "confidence": answer.confidence,
        "urgency_confidence": answer.urgency_confidence,
        "source": answer.source,
        "words": list(answer.words),
        "probabilities": dict(answer.probabilities or {}),
        "pulls": dict(answer.pulls or {}),
        "action": recommended_action(category, urgency) if category else "",
        # what the caller said himself, and nobody wrote over
        "given": list(given),
    }
