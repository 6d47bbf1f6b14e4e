"""A named stream of jobs of one organisation, with its order, which a person may pause."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from jobs.ranking import POLICIES
from orgs.models import Org, User


class QueueQuerySet(models.QuerySet["Queue"]):
    def for_org(self, org: Org) -> Self:
        return self.filter(org=org)


class Queue(models.Model):
    """Made with its first job. Workers serve a name for all organisations; a pause is of one."""

    org = models.ForeignKey(Org, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=40)
    paused_at = models.DateTimeField(null=True)
    paused_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    pause_reason = models.CharField(max_length=200, blank=True)
    # When the leader ends the pause; null: a person does.
    resume_at = models.DateTimeField(null=True)
    # From then on it takes nothing new, and what is in it runs empty.
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False, db_constraint=False
    )
    close_reason = models.CharField(max_length=200, blank=True, default="", db_default="")
    # A job of it should not wait longer; null: nobody has said.
    target_seconds = models.PositiveIntegerField(null=True)
    # One of ranking.POLICIES; empty: as the deployment has it (settings.QUEUE_POLICY).
    policy = models.CharField(max_length=8, blank=True, default="", db_default="")
    # Of what people set above, so that a change can say which it was read as.
    version = models.PositiveIntegerField(default=1, db_default=1)

    objects = QueueQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["org", "name"], name="queue_name_uniq"),
            models.CheckConstraint(condition=Q(policy__in=["", *POLICIES]), name="queue_policy_valid"),
        ]
        indexes = [
            # Each claim asks who paused the queue of this name, over all organisations.
            models.Index(fields=["name", "org"], condition=Q(paused_at__isnull=False), name="queue_paused_idx"),
            # Each submit asks whether its queue is closed.
            models.Index(fields=["org", "name"], condition=Q(closed_at__isnull=False), name="queue_closed_idx"),
            models.Index(fields=["resume_at"], condition=Q(resume_at__isnull=False), name="queue_resume_idx"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def paused(self) -> bool:
        return self.paused_at is not None

    @property
    def closed(self) -> bool:
        return self.closed_at is not None

    @property
    def ordered_by(self) -> str:
        """The policy that its new jobs are ranked by."""
        return self.policy or settings.QUEUE_POLICY
