"""DRF's question, after that for the right: whether the caller asks too often."""

from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from orgs import rates
from orgs.models import ApiKey


class Throttle(BaseThrottle):
    """Counts jobs where a view says that it takes some (`jobs_sent`), and calls where not.

    Raises RateLimited itself, which says more than DRF's own refusal. Calls without a caller are counted by those that
    take them: by address, or by account.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        plain = request._request
        scope = getattr(plain, "_scope", None)
        sent = view.jobs_sent(request) if hasattr(view, "jobs_sent") else 0
        if sent and scope:
            rates.submitting(plain, scope, sent)
        elif isinstance(request.auth, ApiKey):
            rates.calling(plain, f"key-{request.auth.pk}", request.auth.org_id)
        elif request.user.is_authenticated:
            rates.calling(plain, f"user-{request.user.pk}", scope.org.pk if scope else None)
        return True
