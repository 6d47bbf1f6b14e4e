"""The way back: a message with a button, while what was done can still be undone."""

from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest

MARK = "undo"


def tell_undoable(request: HttpRequest, text: str, *, address: str, until: datetime) -> None:
    """Say what was done, with a button that posts to `address`; a script counts down to `until`."""
    messages.success(request, text, extra_tags=f"{MARK} {address} {until.timestamp():.0f}")
