"""One call of the API: JSON in, JSON out, and errors that say whether to ask again."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import Any

USER_AGENT = "sq/0.1.0"
ANSWER_SECONDS = 15.0


class Unreachable(Exception):
    """There was no answer, or none of a server that is well: nobody knows whether it was done. Ask again."""


class ApiError(Exception):
    """The server's refusal, with the problem (RFC 9457) that it answered."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or f"status {status}"))
        self.status = status
        self.problem = problem


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """The key is for the server it was given for, and goes nowhere else."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


class Client:
    """Calls with one key. May be used by many threads."""

    def __init__(self, url: str, key: str) -> None:
        if not url.startswith(("https://", "http://")):
            raise ValueError(f"{url!r} is no address: it begins with https:// or http://")
        self.url = url.rstrip("/")
        self._key = key
        self._opener = urllib.request.build_opener(NoRedirects)

    def post(self, path: str, body: Any = None, *, seconds: float = ANSWER_SECONDS) -> Any:
        """The answer, None where there is none. Raises ApiError, Unreachable."""
        return self.call("POST", path, json.dumps(body or {}).encode(), seconds=seconds)

    def call(
        self, method: str, path: str, data: bytes | None, *, kind: str = "application/json", seconds: float
    ) -> Any:
        request = urllib.request.Request(  # noqa: S310 http only, see above
            f"{self.url}/api/v1/{path}",
            data=data,
            method=method,
            headers={
                "Authorization": f"Bearer {self._key}",
                "Content-Type": kind,
                "Accept": "application/json",
                "User-Agent": USER_AGENT,
            },
        )
        try:
            with self._opener.open(request, timeout=seconds) as response:
                text = response.read()
                return json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            raise refusal(error) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unreachable(str(error) or type(error).__name__) from error


def refusal(error: urllib.error.HTTPError) -> Exception:
    try:
        problem = json.loads(error.read())
    except (OSError, http.client.HTTPException, ValueError):
        problem = {}
    if error.code >= 500 or error.code == 429:
        return Unreachable(f"status {error.code}")
    return ApiError(error.code, problem if isinstance(problem, dict) else {})
