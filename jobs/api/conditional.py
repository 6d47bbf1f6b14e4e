"""ETag and If-Match of what has a version: a change says which version it is of (RFC 9110 13.1.1, RFC 6585 3)."""

import re

from rest_framework.request import Request
from rest_framework.response import Response

from jobs.errors import VersionChanged, VersionNeeded

OURS = re.compile(r'"(\d{1,9})"', re.ASCII)


def with_etag(response: Response, version: int) -> Response:
    response["ETag"] = f'"{version}"'
    return response


def expected_version(request: Request, *, needed: bool = True) -> int | None:
    """The version that If-Match names; None for `*`, whichever there is. Raises VersionNeeded, VersionChanged."""
    sent = request.headers.get("If-Match", None if needed else "*")
    if sent is None:
        raise VersionNeeded
    if sent.strip() == "*":
        return None
    found = OURS.fullmatch(sent.strip())
    if found is None:
        # no tag of ours, a weak one or several: what is compared strongly with one that cannot be ours does not match
        raise VersionChanged
    return int(found[1])
