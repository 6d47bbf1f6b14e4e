"""One call of the API: JSON in, JSON out, and errors that say whether to ask again."""

from __future__ import annotations

import http.client
import json
import socket
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, NamedTuple

from smartqueue_client.bearer import Bearer
from smartqueue_client.errors import NotConnected, Unauthorized, Unreachable, refusal
from smartqueue_client.version import VERSION

USER_AGENT = f"sq/{VERSION}"
ANSWER_SECONDS = 15.0
JSON = "application/json"


class Answer(NamedTuple):
    """What came back; `body` is None where there is none."""

    status: int
    headers: dict[str, str]
    body: Any


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """The key is for the server it was given for, and goes nowhere else."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


class Connection:
    """Calls as one caller. May be used by many threads."""

    def __init__(self, url: str, bearer: Bearer | str, *, org: str = "") -> None:
        if not url.startswith(("https://", "http://")) or not urllib.parse.urlsplit(url).hostname:
            raise ValueError(f"{url!r} is no address: it is like https://queue.example.org")
        self.url = url.rstrip("/")
        self.bearer = Bearer(bearer) if isinstance(bearer, str) else bearer
        self.org = org
        self._opener = urllib.request.build_opener(NoRedirects)

    def post(self, path: str, body: Any = None, *, seconds: float = ANSWER_SECONDS) -> Any:
        """The body of the answer. Raises ApiError, Unreachable."""
        return self.call("POST", path, body or {}, seconds=seconds).body

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> Answer:
        """Raises ApiError, Unreachable. A token that is not good any more is renewed, where that can be."""
        data = None if body is None else json.dumps(body).encode()
        with self.open(method, path, data, headers=headers, seconds=seconds) as response:
            if place := response.headers.get("Location") if 300 <= response.status < 400 else None:
                raise refusal(response.status, {"detail": f"{self.url} leads to {place}: is that the address?"})
            try:
                return answer_of(response)
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise Unreachable(str(error) or type(error).__name__) from error

    def open(
        self,
        method: str,
        path: str,
        data: bytes | None = None,
        *,
        headers: dict[str, str] | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> Any:
        """The answer while it comes, to be closed. 304 and redirects are answers too."""
        token = self.bearer.token
        try:
            return self._open(method, path, data, {**self._who(token), **(headers or {})}, seconds)
        except Unauthorized:
            if not self.bearer.renewed(token, self._renew):
                raise
        return self._open(method, path, data, {**self._who(self.bearer.token), **(headers or {})}, seconds)

    def _who(self, token: str) -> dict[str, str]:
        return {
            **({"Authorization": f"Bearer {token}"} if token else {}),
            **({"X-Org": self.org} if self.org else {}),
        }

    def _renew(self, refresh: str) -> dict[str, Any]:
        data = json.dumps({"refresh": refresh}).encode()
        with self._open("POST", "auth/refresh/", data, {}, ANSWER_SECONDS) as response:
            tokens: dict[str, Any] = answer_of(response).body
        return tokens

    def _open(self, method: str, path: str, data: bytes | None, headers: dict[str, str], seconds: float) -> Any:
        said = {"Accept": JSON, "User-Agent": USER_AGENT, **({"Content-Type": JSON} if data is not None else {})}
        request = urllib.request.Request(  # noqa: S310 http only, see above
            f"{self.url}/api/v1/{path}", data=data, method=method, headers={**said, **headers}
        )
        try:
            return self._opener.open(request, timeout=seconds)
        except urllib.error.HTTPError as error:
            if error.code < 400:
                return error
            with error:
                raise refusal(error.code, problem_of(error), retry_after(error.headers)) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            kind = NotConnected if isinstance(reason, (ConnectionRefusedError, socket.gaierror)) else Unreachable
            raise kind(f"{self.url} does not answer: {reason}") from error


def answer_of(response: Any) -> Answer:
    text = response.read()
    return Answer(response.status, dict(response.headers), json.loads(text) if text else None)


def problem_of(error: urllib.error.HTTPError) -> dict[str, Any]:
    try:
        problem = json.loads(error.read())
    except (OSError, http.client.HTTPException, ValueError):
        problem = {}
    return problem if isinstance(problem, dict) else {}


def retry_after(headers: Any) -> float | None:
    """In seconds; the date that it may be as well is passed over."""
    text = str(headers.get("Retry-After") or "")
    return float(text) if text.isdigit() else None
