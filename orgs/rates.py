"""How often who may ask for what: the policies (the *_RATE settings), and whom each counts as one.

hold() takes from the buckets and raises RateLimited when one is empty; what is left is said in headers of the answer
(RateLimitMiddleware), after draft-ietf-httpapi-ratelimit-headers.
"""

import math
from collections.abc import Callable, Sequence
from hashlib import sha256

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from orgs import buckets, limit_hits
from orgs.buckets import Rate, Take, Taken
from orgs.client import client_prefix
from orgs.errors import RateLimited
from orgs.models import User
from orgs.scope import Scope

ACCOUNT_LOGINS = "account-logins"
ORG_JOBS, ORG_CALLS, ORG_EXPORTS = "org-jobs", "org", "org-exports"
USER_JOBS, CALLER = "user-jobs", "caller"
# Those that hold back what is done in an organisation.
IN_ORGS = (ORG_JOBS, USER_JOBS, ORG_CALLS, CALLER, ORG_EXPORTS)


def registering(request: HttpRequest) -> None:
    hold(request, take("registrations", client_prefix(request), settings.REGISTER_RATE))


def signing_in(request: HttpRequest, username: str) -> None:
    """Before any password is hashed, which takes a quarter of a second of processor time: a flood costs none."""
    hold(
        request,
        take("logins", client_prefix(request), settings.LOGIN_RATE),
        take(ACCOUNT_LOGINS, account(username), settings.ACCOUNT_LOGIN_RATE),
    )


def signed_in(username: str) -> None:
    """Only failures count against an account: who knows the password may sign in as often as his address may."""
    if settings.ACCOUNT_LOGIN_RATE:
        buckets.give_back(ACCOUNT_LOGINS, account(username))


def trying_password(request: HttpRequest, user: User) -> None:
    """The present password, asked for again: whoever has a token must not guess it that way either."""
    hold(request, take(ACCOUNT_LOGINS, account(user.get_username()), settings.ACCOUNT_LOGIN_RATE))


def refreshing(request: HttpRequest) -> None:
    hold(request, take("refreshes", client_prefix(request), settings.REFRESH_RATE))


def inviting(request: HttpRequest, user: User) -> None:
    """Invitations sent, and answers to some: the token in the link must not be guessed."""
    hold(request, take("invitations", f"user-{user.pk}", settings.INVITATION_RATE))


def submitting(request: HttpRequest, scope: Scope, jobs: int = 1) -> None:
    """Jobs, not calls: a bulk call counts as many as it brings."""
    hold(
        request,
        take(USER_JOBS, f"user-{scope.user.pk}", settings.USER_JOB_RATE, jobs),
        take(ORG_JOBS, of_org(scope.org.pk), settings.ORG_JOB_RATE, jobs),
        org_id=scope.org.pk,
    )


def calling(request: HttpRequest, caller: str, org_id: int | None) -> None:
    """Any other call, of a person or with a key."""
    wanted = [take(CALLER, caller, settings.CALL_RATE)]
    if org_id is not None:
        wanted.append(take(ORG_CALLS, of_org(org_id), settings.ORG_CALL_RATE))
    hold(request, *wanted, org_id=org_id)


def exporting(request: HttpRequest, org_id: int) -> None:
    """All that an organisation has: dear, and seldom needed."""
    hold(request, take(ORG_EXPORTS, of_org(org_id), settings.ORG_EXPORT_RATE), org_id=org_id)


def of_org(org_id: int) -> str:
    return f"org-{org_id}"


def buckets_of(org_id: int) -> list[str]:
    """All that are named for an organisation."""
    return [f"{policy}:{of_org(org_id)}" for policy in (ORG_JOBS, ORG_CALLS, ORG_EXPORTS)]


def take(policy: str, subject: str, rate: tuple[int, float, int] | None, cost: int = 1) -> Take | None:
    """None where the setting limits nothing."""
    return Take(policy, subject, Rate(*rate), cost) if rate else None


def account(username: str) -> str:
    """Whatever was typed, as something that a row may be named by; people do not mind the case of their name."""
    return sha256(username.lower().encode(errors="replace")).hexdigest()[:32]


def hold(request: HttpRequest, *wanted: Take | None, org_id: int | None = None) -> None:
    """Take from each bucket. Raises RateLimited, saying which were empty; in an organisation that is counted."""
    takes = [one for one in wanted if one]
    if not takes:
        return
    taken = buckets.take(takes)
    request.rates_taken = [*getattr(request, "rates_taken", []), *taken]  # type: ignore[attr-defined]
    if refused := [one for one in taken if not one.admitted]:
        if org_id is not None:
            for one in refused:
                limit_hits.note(org_id, one.policy)
        # by the processes' own count it may be there this moment
        wait = max(math.ceil(max(one.wait for one in refused)), 1)
        raise RateLimited(wait, [one.policy for one in refused])


class RateLimitMiddleware:
    """Says in the headers of an answer what is left of the buckets that the request took from."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if taken := getattr(request, "rates_taken", []):
            response["RateLimit-Policy"] = policies(taken)
            response["RateLimit"] = left(taken)
        return response


def policies(taken: Sequence[Taken]) -> str:
    return ", ".join(f'"{one.policy}";q={one.rate.count};w={math.ceil(one.rate.seconds)}' for one in taken)


def left(taken: Sequence[Taken]) -> str:
    """How many are left, and in how many seconds all are there again."""
    return ", ".join(f'"{one.policy}";r={one.left};t={math.ceil(one.full_in)}' for one in taken)
