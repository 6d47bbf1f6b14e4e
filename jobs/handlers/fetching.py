"""A file from the web into an attempt's folder, for types that read one: the same guard as for http jobs."""

import re
from urllib.parse import unquote, urlsplit

from django.conf import settings

from jobs.handlers.addresses import Refused, target
from jobs.handlers.base import Context, Input, PermanentFailure, TemporaryFailure
from jobs.handlers.exchange import Line, Request, Response, TimeIsUp, Trouble
from jobs.handlers.http import MAX_REDIRECTS, REDIRECTS, redirected

NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")


def fetch(context: Context, url: str, name: str, *, max_bytes: int | None = None) -> Input:
    """GET it into the file `name` of the folder. In gather() only.

    Raises PermanentFailure for what no later attempt can mend (a refused address, 404, too large), TemporaryFailure for
    the rest, Stopped.
    """
    limit = max_bytes or settings.ARTEFACT_FILE_MAX_BYTES
    try:
        with Line(context, context.seconds_left()) as line:
            return fetched(context, line, url, name, limit)
    except Refused as error:
        raise PermanentFailure(f"{url:.200}: {error}") from error
    except TimeIsUp as error:
        context.check_stopped()
        raise TemporaryFailure(f"{url:.200}: {error}") from error
    except Trouble as error:
        raise TemporaryFailure(f"{url:.200}: {error}") from error


def fetched(context: Context, line: Line, url: str, name: str, max_bytes: int) -> Input:
    headers = {"User-Agent": f"SmartQueue/{settings.VERSION}", "Accept-Encoding": "identity"}
    request = Request("GET", target(url, context.org_settings), headers, None)
    for _ in range(MAX_REDIRECTS + 1):
        with context.path(name).open("wb") as to:
            response = line.exchange(request, body_max_bytes=max_bytes, to=to)
        context.log(f"GET {request.target.url} answered {response.status}")
        location = response.header("Location")
        if response.status not in REDIRECTS or not location:
            return judged(context, request, response, name, max_bytes)
        request = redirected(request, response.status, location, context.org_settings)
    raise PermanentFailure(f"{url:.200}: redirected more than {MAX_REDIRECTS} times.")


def judged(context: Context, request: Request, response: Response, name: str, max_bytes: int) -> Input:
    url = request.target.url
    if response.status == 429 or response.status >= 500:
        raise TemporaryFailure(f"{url:.200} answered {response.status}.")
    if response.status != 200:
        raise PermanentFailure(f"{url:.200} answered {response.status}.")
    if response.truncated:
        raise PermanentFailure(f"{url:.200} has more than {max_bytes} bytes.")
    content_type = (response.header("Content-Type") or "").partition(";")[0].strip().lower()
    return Input(context.path(name), last_part(url), content_type)


def last_part(url: str) -> str:
    """What the file would be called."""
    return NOT_IN_A_NAME.sub("-", unquote(urlsplit(url).path).rpartition("/")[2])[-80:] or "download"
