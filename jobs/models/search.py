"""What lists of jobs are searched by, beside the jobs: made from them by the leader, some seconds after they move."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q

from orgs.models import Membership, Org, User

FINGERPRINT_CHARACTERS = 16
LONGEST_FACET = 128


class SearchEntry(models.Model):
    """The words a job is found by (jobs.search.lexemes): each begins with its organisation.

    Beside the jobs rather than on them: a GIN index takes longer to add to than all else that a submit writes.
    """

    job_id = models.UUIDField(primary_key=True)
    org_id = models.BigIntegerField()
    words = SearchVectorField()
    # Of its last error; empty where there is none.
    error_fingerprint = models.CharField(max_length=FINGERPRINT_CHARACTERS, blank=True)

    class Meta:
        indexes = [
            GinIndex(fields=["words"], name="searchentry_words_idx"),
            models.Index(fields=["org_id"], name="searchentry_org_idx"),
            models.Index(
                fields=["org_id", "error_fingerprint", "job_id"],
                condition=~Q(error_fingerprint=""),
                name="searchentry_error_idx",
            ),
        ]

    def __str__(self) -> str:
        return str(self.job_id)


class SearchFacet(models.Model):
    """A value that jobs of an organisation have: a name, a tag, a worker or a class of errors. What filters offer."""

    id = models.BigAutoField(primary_key=True)
    org_id = models.BigIntegerField()
    kind = models.CharField(max_length=10)
    value = models.CharField(max_length=LONGEST_FACET)
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["org_id", "kind", "value"], name="searchfacet_uniq")]

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"


class Follower(models.Model):
    """How far a table whose rows are numbered was followed, such that no row is passed that was committed late.

    Up to `final_id` all rows are there that ever will be; `next_id` becomes final once every transaction has ended that
    began before `next_xid`, which began after it was the newest (follow.sql).
    """

    name = models.CharField(max_length=20, primary_key=True)
    done_id = models.BigIntegerField(default=0, db_default=0)
    # All that happened before is followed.
    done_at = models.DateTimeField(null=True)
    final_id = models.BigIntegerField(default=0, db_default=0)
    final_at = models.DateTimeField(null=True)
    next_id = models.BigIntegerField(default=0, db_default=0)
    next_at = models.DateTimeField(null=True)
    next_xid = models.BigIntegerField(null=True)

    def __str__(self) -> str:
        return f"{self.name} to {self.done_id}"


class ErrorGroup(models.Model):
    """Failed attempts that say the same but for numbers, names and ids: see jobs.fingerprints."""

    id = models.BigAutoField(primary_key=True)
    org_id = models.BigIntegerField()
    fingerprint = models.CharField(max_length=FINGERPRINT_CHARACTERS)
    error_type = models.CharField(max_length=128, blank=True)
    # Of the latest.
    sample = models.TextField(blank=True)
    attempts = models.BigIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    last_job_id = models.UUIDField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["org_id", "fingerprint"], name="errorgroup_uniq")]
        indexes = [
            models.Index(fields=["org_id", "-last_at", "-id"], name="errorgroup_latest_idx"),
            models.Index(fields=["org_id", "-attempts", "-id"], name="errorgroup_most_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.fingerprint} {self.error_type}: {self.attempts}"


class ErrorCount(models.Model):
    """How many attempts of a group failed in an hour, by what they were."""

    id = models.BigAutoField(primary_key=True)
    org_id = models.BigIntegerField()
    fingerprint = models.CharField(max_length=FINGERPRINT_CHARACTERS)
    hour = models.DateTimeField()
    queue = models.CharField(max_length=40)
    type = models.CharField(max_length=32)
    name = models.CharField(max_length=64)
    attempts = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["org_id", "fingerprint", "hour", "queue", "type", "name"], name="errorcount_uniq"
            )
        ]
        indexes = [models.Index(fields=["hour"], name="errorcount_age_idx")]

    def __str__(self) -> str:
        return f"{self.fingerprint} {self.hour:%F %H} {self.name}: {self.attempts}"


class SavedView(models.Model):
    """Filters of the list of jobs under a name: a member's own, or everybody's in the organisation."""

    id = models.BigAutoField(primary_key=True)
    org = models.ForeignKey(Org, on_delete=models.CASCADE, related_name="+", db_index=False)
    # Whose it is alone, and goes with; null where all see it. Without a constraint, as the next: the rows of an
    # organisation that is erased go table by table, in any order.
    owner = models.ForeignKey(Membership, null=True, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    name = models.CharField(max_length=64)
    # As the address of the list has it.
    query = models.CharField(max_length=2_000, blank=True)
    created_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False, db_constraint=False
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["org", "name"], condition=Q(owner=None), name="savedview_shared_uniq"),
            models.UniqueConstraint(
                fields=["org", "owner", "name"], condition=~Q(owner=None), name="savedview_own_uniq"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ListSettings(models.Model):
    """How a member looks at the list of jobs."""

    id = models.BigAutoField(primary_key=True)
    org = models.ForeignKey(Org, on_delete=models.CASCADE, related_name="+", db_index=False)
    member = models.OneToOneField(Membership, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    # In their order; empty: the usual ones.
    columns = ArrayField(models.CharField(max_length=20), default=list)
    compact = models.BooleanField(default=False)
    default_view = models.ForeignKey(
        SavedView, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False, db_constraint=False
    )

    def __str__(self) -> str:
        return f"{self.member_id}"
