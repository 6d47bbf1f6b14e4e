"""How near the predictions come to what runs take, by the hour, and when an organisation's model is trained again."""

from django.db import models


class Accuracy(models.Model):
    """Sums over runs that came to an end, by the hour: divided by `runs`, `ranged` or `risked` they are means.

    Folded by the leader. A ratio is predicted / actual milliseconds, both of at least one.
    """

    id = models.BigAutoField(primary_key=True)
    org_id = models.BigIntegerField()
    # The start of the hour in which the runs ended.
    hour = models.DateTimeField()
    # Whose predictions they were; 0 where no model predicted.
    model_version = models.IntegerField()
    runs = models.BigIntegerField()
    # |log2 ratio|, and log2 ratio: above 0 the predictions were too long.
    log2_error = models.FloatField()
    log2_bias = models.FloatField()
    # |ratio - 1|
    relative_error = models.FloatField()
    within_2x = models.BigIntegerField()
    # Runs whose prediction had a range (p10 to p90), and those that fell into it.
    ranged = models.BigIntegerField()
    in_range = models.BigIntegerField()
    # Runs whose prediction had a probability of failure, the sum of these, and how many failed.
    risked = models.BigIntegerField()
    risk = models.FloatField()
    failed = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["org_id", "hour", "model_version"], name="accuracy_hour_uniq")]
        indexes = [models.Index(fields=["hour"], name="accuracy_age_idx")]

    def __str__(self) -> str:
        return f"{self.org_id} {self.hour:%F %H}:00: {self.runs} runs"


class Learning(models.Model):
    """An organisation's runs and trainings, counted; kept by the leader. Without a row nothing has run yet."""

    org_id = models.BigIntegerField(primary_key=True)
    # Runs that came to an end since we count; and how many these were at the last training.
    runs = models.BigIntegerField(default=0, db_default=0)
    trained_runs = models.BigIntegerField(default=0, db_default=0)
    trained_at = models.DateTimeField(null=True)
    # Trainings begun that did not end well, one after the other; the next is not begun before.
    failures = models.IntegerField(default=0, db_default=0)
    not_before = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True, default="", db_default="")
    # Since when the active model's errors have been far above those it was promoted with.
    worse_since = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.org_id}: {self.runs} runs, {self.trained_runs} at the last training"
