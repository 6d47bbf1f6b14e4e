"""Which version of an organisation's model is in use: promote another, or go back to the one before.

Every process takes up the change within MODEL_RELOAD_SECONDS (jobs/active_model.py).
"""

from django.db import IntegrityError, transaction
from django.http import HttpRequest

from jobs.active_model import read_model
from jobs.errors import IllegalMove, ModelNotFound
from jobs.models import Learning, ModelVersion
from jobs.queue import sql
from jobs.queue.brief import brief
from orgs import audit
from orgs.models import Org, User
from orgs.roles import Action
from orgs.scope import Scope


def promote(version: int, *, scope: Scope, request: HttpRequest | None = None) -> None:
    """Predict with this version from now on. Raises ModelNotFound, IllegalMove."""
    scope.require(Action.MANAGE_MODEL)
    switch(scope.org, version, by=scope.actor, actor=scope.user, request=request)


def rollback(*, scope: Scope, request: HttpRequest | None = None) -> int:
    """Go back to the version that was in use before; which one. Raises IllegalMove when there is none."""
    scope.require(Action.MANAGE_MODEL)
    return switch_back(scope.org, by=scope.actor, actor=scope.user, request=request)


def switch_back(org: Org, *, by: str, actor: User | None = None, request: HttpRequest | None = None) -> int:
    """rollback() by whom it need not be asked whether he may."""
    active = ModelVersion.objects.for_org(org).filter(active=True).defer("weights").first()
    if active is None:
        raise IllegalMove("No model is in use.")
    if active.previous is None:
        raise IllegalMove(f"No version was in use before version {active.version}.")
    version = active.previous
    try:
        switch(org, version, by=by, actor=actor, request=request, expected=active.version, back=True)
    except ModelNotFound:
        raise IllegalMove(f"Version {version}, in use before version {active.version}, is no longer kept.") from None
    return version


def switch(
    org: Org,
    version: int,
    *,
    by: str,
    actor: User | None = None,
    request: HttpRequest | None = None,
    expected: int | None = None,
    back: bool = False,
) -> None:
    """Put a version into the place of the one in use, in one guarded statement, and audit it.

    `expected` is the version that must be in use until then, 0 for none. Raises ModelNotFound, and IllegalMove for one
    that is in use already or cannot be read, or when another was put into use meanwhile.
    """
    with brief():
        check_usable(org, version)
        moved = replace_active(org, version, by=by, expected=expected, back=back)
        if moved is None:
            raise IllegalMove("Another version of the model was put into use meanwhile.")
        # what was noted is of the one before
        Learning.objects.filter(org_id=org.pk).update(worse_since=None)
        act = "model.rollback" if back else "model.promote"
        audit.record(
            act,
            org=org,
            actor=actor,
            target=f"version {version}",
            request=request,
            old=moved.former,
            new=version,
            by=by,
        )


def check_usable(org: Org, version: int) -> None:
    row = ModelVersion.objects.for_org(org).filter(version=version).first() if version < 2**31 else None
    if row is None:
        raise ModelNotFound
    if row.active:
        raise IllegalMove(f"Version {version} is in use already.")
    if read_model(row) is None:
        raise IllegalMove(f"The weights of version {version} cannot be read.")


def replace_active(org: Org, version: int, *, by: str, expected: int | None, back: bool) -> sql.Row | None:
    try:
        with transaction.atomic():
            rows = sql.run("promote_model", org_id=org.pk, version=version, by=by[:160], expected=expected, back=back)
    except IntegrityError:
        return None
    return rows[0] if rows else None
