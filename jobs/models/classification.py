"""What jobs are about and how urgent they are: those to be told, what was told before, and what people taught."""

from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from jobs.ranking import URGENCY_FACTOR
from orgs.models import Org, User

# The longest name of a category.
CATEGORY_CHARACTERS = 40


class ToClassify(models.Model):
    """A job whose text has yet to be read. Inserted with the job; whoever writes the answer deletes it, and only he."""

    job_id = models.UUIDField(primary_key=True)
    org_id = models.BigIntegerField()
    # What the caller left open; what he said himself is never written over.
    category = models.BooleanField()
    urgency = models.BooleanField()
    # Taken until then; after that its taker is taken for gone.
    due_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="toclassify_due_idx")]

    def __str__(self) -> str:
        return f"{self.job_id} since {self.due_at}"


class ClassifiedText(models.Model):
    """What a version of a classifier answered to a text of an organisation."""

    id = models.BigAutoField(primary_key=True)
    org_id = models.BigIntegerField()
    # SHA-256 of all that the classifier was told.
    digest = models.CharField(max_length=64)
    version = models.CharField(max_length=64)
    answer: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField()
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["org_id", "digest", "version"], name="classifiedtext_uniq")]
        indexes = [models.Index(fields=["at"], name="classifiedtext_age_idx")]

    def __str__(self) -> str:
        return f"{self.digest[:8]} by {self.version}"


class LabelQuerySet(models.QuerySet["Label"]):
    def for_org(self, org: Org) -> Self:
        return self.filter(org=org)


class Label(models.Model):
    """A person's correction: what the classifier of the organisation learns from."""

    org = models.ForeignKey(Org, on_delete=models.CASCADE, related_name="+", db_index=False)
    # No constraint: a label outlives its job.
    job_id = models.UUIDField(null=True)
    digest = models.CharField(max_length=64)
    type = models.CharField(max_length=32)
    title = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True)
    # Empty: nothing was said about it.
    category = models.CharField(max_length=CATEGORY_CHARACTERS, blank=True)
    urgency = models.CharField(max_length=6, blank=True)
    # What stood there before.
    told_category = models.CharField(max_length=CATEGORY_CHARACTERS, blank=True)
    told_urgency = models.CharField(max_length=6, blank=True)
    by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False, db_constraint=False
    )
    at = models.DateTimeField(db_default=Now())

    objects = LabelQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(urgency__in=["", *URGENCY_FACTOR]), name="label_urgency_valid"),
            models.CheckConstraint(condition=~Q(category="", urgency=""), name="label_says_something"),
        ]
        indexes = [
            models.Index(fields=["org", "id"], name="label_newest_idx"),
            models.Index(fields=["org", "digest", "id"], name="label_text_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.category or '–'}, {self.urgency or '–'}: {self.title}"


class ClassifierVersionQuerySet(models.QuerySet["ClassifierVersion"]):
    def for_org(self, org: Org) -> Self:
        return self.filter(org=org)


class ClassifierVersion(models.Model):
    """A classifier that was fitted to the labels of one organisation, and to no other's."""

    org = models.ForeignKey(Org, on_delete=models.CASCADE, related_name="+", db_index=False)
    version = models.PositiveIntegerField()
    weights = models.BinaryField()
    # Its labels: it is used only while these are the categories of the organisation.
    categories: "models.JSONField[list[str], list[str]]" = models.JSONField()
    labels = models.PositiveIntegerField()
    # The newest label it knows; later ones make it due anew.
    last_label_id = models.BigIntegerField(default=0)
    metrics: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    active = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())

    objects = ClassifierVersionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["org", "version"], name="classifierversion_uniq"),
            models.UniqueConstraint(
                fields=["org"], condition=models.Q(active=True), name="classifierversion_one_active"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.org_id} v{self.version}"


class ClassifierCount(models.Model):
    """How often an organisation's texts were answered from memory, and how often anew; kept with each batch."""

    org_id = models.BigIntegerField(primary_key=True)
    hits = models.BigIntegerField(default=0)
    misses = models.BigIntegerField(default=0)
    # By people; with the two above, what lists of jobs ask for to see that something was told.
    corrections = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.org_id}: {self.hits} of {self.hits + self.misses}"
