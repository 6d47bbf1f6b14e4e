"""What is kept of people whose accounts were removed: enough to know their names again, and not to tell them."""

from django.db import models

from orgs.models.tenants import User


class NameKey(models.Model):
    """The key of RemovedName's digests, sealed (sealed.py), in one row that is made with the first removal."""

    ABOUT = "names of removed people"

    id = models.SmallIntegerField(primary_key=True, default=1)
    sealed = models.TextField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="name_key_only_one")]

    def __str__(self) -> str:
        return "the key of removed people's names"


class RemovedName(models.Model):
    """HMAC-SHA256 of a name or an e-mail address that a removed person had, in small letters."""

    digest = models.BinaryField(primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return f"a name of removed user {self.user_id}"
