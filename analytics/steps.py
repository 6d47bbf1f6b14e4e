"""The first five minutes: steps that tick themselves when they were really taken."""

from dataclasses import dataclass

from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from analytics import sql
from jobs.models import ModelVersion
from orgs.roles import Action
from orgs.scope import Scope

MOVES_BOUND = 2_000


@dataclass(frozen=True, slots=True)
class Step:
    """`name` tells the template what to say."""

    name: str
    taken: bool


def first_steps(scope: Scope) -> list[Step]:
    """The steps of a person who may submit; none when all are taken, or for one who only reads."""
    if not scope.can(Action.SUBMIT):
        return []
    actor = f"user:{scope.user.get_username()}"
    (lately,) = sql.run("steps", org_id=scope.org.pk, actor=actor, bound=MOVES_BOUND)
    steps = [
        Step("submit", lately["submitted"]),
        Step("watch", lately["done"]),
        Step("replay", lately["replayed"]),
        # only the API gives out tokens
        Step("api", OutstandingToken.objects.filter(user=scope.user).exists()),
        Step("model", ModelVersion.objects.for_org(scope.org).filter(active=True).exists()),
    ]
    return [] if all(step.taken for step in steps) else steps
