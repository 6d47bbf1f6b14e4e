"""What is shown to a person once: kept sealed in his session between the form that made it and the page it leads to.

So a reload of that page neither makes another nor shows it again, and the table of sessions does not hold it.
"""

import json
from time import time
from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse

from orgs.crypto import Unsealable, seal, unseal

# Whoever does not follow at once is shown nothing.
KEPT_SECONDS = 300
PLACE = "shown_once"


def keep(request: HttpRequest, about: str, **values: Any) -> None:
    """To be shown on the next page that asks for it by `about`."""
    text = json.dumps({**values, "until": time() + KEPT_SECONDS})
    request.session[PLACE] = {"about": about, "sealed": seal(text.encode(), about=bound(request.session, about))}


def take(request: HttpRequest, about: str) -> dict[str, Any] | None:
    """What was kept, for this answer and no other."""
    kept = request.session.get(PLACE)
    if request.method != "GET" or not isinstance(kept, dict) or kept.get("about") != about:
        return None
    del request.session[PLACE]
    try:
        found: dict[str, Any] = json.loads(unseal(kept["sealed"], about=bound(request.session, about)))
    except (Unsealable, ValueError):
        return None
    return found if found["until"] > time() else None


def never_stored(response: HttpResponse) -> HttpResponse:
    """No cache, nor the history of a browser, keeps the page."""
    response["Cache-Control"] = "no-store"
    return response


def bound(session: SessionBase, about: str) -> str:
    return f"{about} for {session.get('_auth_user_id')}"
