"""Tabs that nobody looks at: the second and later polls of a region that shows what is so are answered from memory.

A region asks every few seconds whether what it shows is still so, and mostly it is. What takes time is not the question
but who asks: session, person, memberships. So where that was answered a moment ago, for the same session and the same
address (which says what is shown), only the pulse of the organisation is looked at, once for all tabs of it. No more
than "nothing has changed" is ever said so: docs/decisions/0027-polls-from-memory.md.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from jobs.pages.live import nothing_new, pulse
from orgs import walls

# How long a pulse stands for all who ask.
PULSE_SECONDS = 1.0
MOST = 10_000

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Known:
    """That nothing was new, and for whom: `pulse` is from before that, None where it was not yet read."""

    org_id: int
    until: float
    pulse: str | None


class PollMiddleware:
    """Behind the wall and the rate limit, before all that finds out who asks."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.known: dict[Key, Known] = {}
        self.pulses: dict[int, tuple[float, str]] = {}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        key = key_of(request)
        if key is None or not settings.POLL_REMEMBER_SECONDS:
            return self.get_response(request)
        known, now = self.known.get(key), time.monotonic()
        if known and known.pulse is not None and now < known.until and self.pulse_of(known.org_id) == known.pulse:
            return nothing_new()
        before = self.pulse_of(known.org_id, fresh=True) if known else None
        response = self.get_response(request)
        if getattr(response, "told_by_pulse", False):
            # a version is of one organisation, so what is known of an address is
            org_id = request._scope.org.pk  # type: ignore[attr-defined]
            self.remember(key, Known(org_id, now + settings.POLL_REMEMBER_SECONDS, before))
        else:
            self.known.pop(key, None)
        return response

    def pulse_of(self, org_id: int, *, fresh: bool = False) -> str:
        at, found = self.pulses.get(org_id, (0.0, ""))
        if fresh or time.monotonic() - at > PULSE_SECONDS:
            # and no longer: who asks now is not known yet
            with walls.inside(org_id):
                at, found = time.monotonic(), pulse(org_id)
            self.pulses[org_id] = (at, found)
        return found

    def remember(self, key: Key, known: Known) -> None:
        if len(self.known) >= MOST:
            self.known.clear()
            self.pulses.clear()
        self.known[key] = known


def key_of(request: HttpRequest) -> Key | None:
    """Of a poll by somebody with a session."""
    if request.method != "GET" or "HTTP_HX_REQUEST" not in request.META or "v=" not in request.META["QUERY_STRING"]:
        return None
    session = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    return (session, request.get_full_path()) if session else None
