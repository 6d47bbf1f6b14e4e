"""Organisations, people and their rights, and what both hold."""

import re
from typing import Any, ClassVar
from uuid import uuid4

from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.core.validators import MaxValueValidator, MinLengthValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models.functions import Lower, Now

from orgs.crypto import key_id_of
from orgs.roles import KeyRole, OrgState, Role

USERNAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{2,31}\Z"
SLUG_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?\Z"
MAX_WEIGHT = 1000.0
ROLE_CHOICES = [(role.value, role.value.replace("_", " ")) for role in Role]


class Org(models.Model):
    """A tenant: owner of jobs, queues and members."""

    slug = models.CharField(max_length=40, unique=True, validators=[RegexValidator(SLUG_PATTERN)])
    name = models.CharField(max_length=80, validators=[MinLengthValidator(2)])
    # Absolute paths this organisation's shell jobs may run, within SHELL_PROGRAMS; empty = shell is off.
    shell_programs = models.JSONField(default=list, blank=True)
    # What else its jobs may do or are held to, by name: http_allow_hosts, http_deny_hosts, mail_from, connections.
    job_settings: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(
        default=dict, blank=True, db_default=models.Value({}, models.JSONField())
    )
    # Of queues that it shares with others it gets so many parts, where they get one.
    weight = models.FloatField(
        default=1.0, db_default=1.0, validators=[MinValueValidator(0.01), MaxValueValidator(MAX_WEIGHT)]
    )
    # How much it may have at once; null: what the deployment's settings say (jobs.queue.quotas).
    max_waiting_jobs = models.PositiveBigIntegerField(null=True, blank=True)
    max_payload_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    max_schedules = models.PositiveBigIntegerField(null=True, blank=True)
    max_artefact_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    # By a platform admin, and why, in words for its members.
    suspended_at = models.DateTimeField(null=True, blank=True, editable=False)
    suspension_reason = models.CharField(
        max_length=200, blank=True, default="", db_default=models.Value(""), editable=False
    )
    # Its org_admin asked for its end, at closed_at: it may be restored until then; afterwards all of it is erased.
    erase_at = models.DateTimeField(null=True, blank=True, editable=False)
    closed_at = models.DateTimeField(null=True, blank=True, editable=False)
    # From here on there is no way back: the leader erases it (orgs/erasing.py).
    erasing_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(weight__gt=0, weight__lte=MAX_WEIGHT), name="org_weight_in_range"
            ),
            # Whoever restores one and has not looked is refused.
            models.CheckConstraint(
                condition=models.Q(erasing_at__isnull=True) | models.Q(erase_at__isnull=False),
                name="org_erasing_is_final",
            ),
        ]
        indexes = [
            models.Index(fields=["erase_at"], condition=models.Q(erase_at__isnull=False), name="org_erase_at_idx"),
            # Each claim asks which organisations nothing is begun of (jobs/queue/sql/halted.sql).
            models.Index(
                fields=["id"],
                condition=models.Q(suspended_at__isnull=False) | models.Q(erase_at__isnull=False),
                name="org_halted_idx",
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def state(self) -> OrgState:
        """As it was when this row was read."""
        if self.suspended_at is not None:
            return OrgState.SUSPENDED
        return OrgState.ACTIVE if self.erase_at is None else OrgState.CLOSING

    @property
    def all_job_settings(self) -> dict[str, Any]:
        """What handlers are told of the organisation, at submit as in each attempt."""
        return {"shell_programs": self.shell_programs, **self.job_settings}


class UserManager(DjangoUserManager["User"]):
    def named(self, username: str) -> "models.QuerySet[User]":
        """By name, whatever its case, through the index that keeps names unique."""
        # Whatever else was typed is nobody's name, and may be nothing a query takes.
        if not re.match(USERNAME_PATTERN, username):
            return self.none()
        return self.alias(lowered_name=Lower("username")).filter(lowered_name=username.lower())

    def get_by_natural_key(self, username: str | None) -> "User":
        """People sign in without minding the case of their name."""
        return self.named(username or "").get()


def not_removed(username: str) -> None:
    """Raise ValidationError for a name that somebody had whose account was removed: nobody is to pass for him."""
    # it reads models
    from orgs.removed_names import check_never_removed

    check_never_removed(username)


class User(AbstractUser):
    """A person; what he may do is in his memberships, never in a token."""

    username = models.CharField(
        max_length=32,
        unique=True,
        validators=[
            RegexValidator(
                USERNAME_PATTERN,
                "3 to 32 letters, digits, dots, dashes or underscores, starting with a letter or digit.",
            ),
            not_removed,
        ],
        error_messages={"unique": "This username is taken."},
    )
    email = models.EmailField(blank=True)
    # The organisation the pages, and API calls without X-Org, act in.
    active_org = models.ForeignKey(
        Org, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", editable=False
    )
    # The row of a removed person stays, with nothing that tells who he was (removal.py).
    removed_at = models.DateTimeField(null=True, blank=True, editable=False)

    # One more each time he signs out everywhere: sessions from before know another number.
    session_epoch = models.PositiveIntegerField(default=0, db_default=0, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    # Of whoever calls the API, read with him for the first question of the request.
    memberships_read: "list[Membership] | None" = None

    class Meta(AbstractUser.Meta):
        constraints = [models.UniqueConstraint(Lower("username"), name="user_username_ci_uniq")]

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What a session of the pages is checked against."""
        said: str = super()._get_session_auth_hash(secret=secret)  # type: ignore[misc]
        return f"{said}.{self.session_epoch}" if self.session_epoch else said


class Membership(models.Model):
    """One person in one organisation, with his role there."""

    org = models.ForeignKey(Org, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=ROLE_CHOICES)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["org", "user"], name="membership_uniq"),
            models.CheckConstraint(
                condition=models.Q(role__in=[role.value for role in Role]), name="membership_role_valid"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} is {self.role} of {self.org_id}"


class Invitation(models.Model):
    """An offer of membership. It gives nothing until the invited person takes it."""

    PENDING, ACCEPTED, DECLINED, WITHDRAWN = "pending", "accepted", "declined", "withdrawn"
    STATES = [PENDING, ACCEPTED, DECLINED, WITHDRAWN]

    org = models.ForeignKey(Org, on_delete=models.CASCADE, related_name="invitations")
    # Either a known person, who sees it in his list, or whoever holds the link sent to an address.
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(blank=True)
    token_sha256 = models.CharField(max_length=64, blank=True, editable=False)
    role = models.CharField(max_length=16, choices=ROLE_CHOICES)
    state = models.CharField(max_length=10, default=PENDING, choices=[(s, s) for s in STATES])
    invited_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(role__in=[role.value for role in Role]), name="invitation_role_valid"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["pending", "accepted", "declined", "withdrawn"]),
                name="invitation_state_valid",
            ),
            models.UniqueConstraint(
                fields=["org", "user"],
                condition=models.Q(state="pending", user__isnull=False),
                name="invitation_one_pending_per_user",
            ),
        ]

    def __str__(self) -> str:
        return f"invitation {self.pk} to {self.org_id}: {self.state}"


class SignIn(models.Model):
    """One sign-in to the API: the family of tokens that were traded for each other since, which ends as one."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_ins")
    created_at = models.DateTimeField(db_default=Now())
    # Of its newest token; afterwards the row is of no use.
    expires_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"sign-in {self.pk} of {self.user_id}"


class ApiKey(models.Model):
    """What a program shows instead of a person's token. It is of one organisation, and only its hash is kept.

    It is worth no more than its maker is: see good_keys.py.
    """

    org = models.ForeignKey(Org, on_delete=models.CASCADE, related_name="keys")
    name = models.CharField(max_length=64)
    # The part of the token that may be seen: by it the key is found, and named in lists.
    prefix = models.CharField(max_length=16, unique=True)
    secret_sha256 = models.CharField(max_length=64)
    role = models.CharField(max_length=16, choices=[(role.value, role.value) for role in KeyRole])
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True)
    # To the minute: not every call writes it.
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "API key"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(role__in=[role.value for role in KeyRole]), name="apikey_role_valid"
            )
        ]

    def __str__(self) -> str:
        return f"key {self.prefix} of {self.org_id}"


class Secret(models.Model):
    """A value that payloads name and nobody is shown: only the worker that runs an attempt reads it (vault.py)."""

    NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_]{0,63}\Z"

    org = models.ForeignKey(Org, on_delete=models.CASCADE, related_name="secrets")
    name = models.CharField(max_length=64, validators=[RegexValidator(NAME_PATTERN)])
    sealed = models.TextField()
    # One more with each value.
    version = models.PositiveIntegerField(default=1, db_default=1)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    updated_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    updated_at = models.DateTimeField(db_default=Now())
    # To a few minutes: written by the attempts that use it.
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["org", "name"], name="secret_name_uniq")]

    def __str__(self) -> str:
        return f"{self.name} of {self.org_id}"

    @property
    def about(self) -> str:
        """What its sealed text is bound to."""
        return f"secret {self.org_id} {self.name}"

    @property
    def key_id(self) -> str:
        """Of the key that it is sealed with."""
        return key_id_of(self.sealed)


class RateBucket(models.Model):
    """How much has been asked for of late under one name (orgs.buckets). Unlogged: after a crash all are full."""

    name = models.CharField(max_length=100, primary_key=True)
    full_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} is full at {self.full_at:%F %T}"
