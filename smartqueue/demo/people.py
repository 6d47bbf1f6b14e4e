"""Who is in the demo, and whether it is there. Apart from seed.py, which loads the predictor: every start asks this."""

from pathlib import Path

from orgs.models import AuditEntry, Org, User
from orgs.roles import Role
from smartqueue.welcome import demo_logins

ORGS = {"acme": "Acme", "globex": "Globex"}
# Who is what where; a platform admin belongs to no organisation.
PEOPLE: dict[str, tuple[Role, str] | None] = {
    "ada": (Role.ORG_ADMIN, "acme"),
    "otto": (Role.OPERATOR, "acme"),
    "vera": (Role.VIEWER, "acme"),
    "gwen": (Role.ORG_ADMIN, "globex"),
    "root": None,
}
MARK = "demo.seed"


def there(state: Path) -> bool:
    """Whether the demo was made, with its list of logins whole: then there is nothing for the seed to do."""
    acme = Org.objects.filter(slug="acme").first()
    return acme is not None and ours(acme) and {one.username for one in demo_logins(state)} >= set(PEOPLE)


def taken() -> bool:
    names = User.objects.filter(username__in=PEOPLE)
    return names.exists() or Org.objects.filter(slug__in=ORGS).exists()


def ours(acme: Org) -> bool:
    """The seed is the first thing that was ever written down of the organisation; nobody else can write it."""
    first = AuditEntry.objects.filter(org=acme).order_by("id").first()
    return first is not None and first.action == MARK
