"""What acts on whoever reads it instead of being read is not sent to a browser."""

import re
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

# In UTF-8: commands to a terminal and the like, and characters that turn the direction of what follows them.
ACTS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2(?:\x80[\xaa-\xae]|\x81[\xa6-\xa9])")
REPLACEMENT = "\ufffd".encode()


class VisibleTextMiddleware:
    """On a page each such character is shown as one that cannot be shown, wherever it came from and wherever it stands:
    a name, a title, the label of a button. What has a template that forgets is no less safe for it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not response.streaming and response.headers.get("Content-Type", "").startswith("text/html"):
            response.content = ACTS.sub(REPLACEMENT, response.content)  # type: ignore[attr-defined]
        return response
