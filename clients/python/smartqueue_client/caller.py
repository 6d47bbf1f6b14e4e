"""Calls of the API with retries, and its lists page by page: what the methods of Client are made of."""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from smartqueue_client.bearer import Bearer, Session
from smartqueue_client.connection import ANSWER_SECONDS, Answer, Connection
from smartqueue_client.retries import again

RETRY_SECONDS = 60.0
PAGE = 200
REPEATABLE = ("GET", "PUT", "DELETE")


class Caller:
    """Who calls, and for how long calls are tried again that get no answer, 429 or 503."""

    def __init__(
        self, url: str, *, key: str = "", token: str = "", org: str = "", retry_seconds: float = RETRY_SECONDS
    ) -> None:
        """`key` of the organisation, or the access `token` of a login. `org`: another one of yours, by its slug."""
        if bool(key) == bool(token):
            raise ValueError("give one of key and token")
        self.connection = Connection(url, Bearer(key or token), org=org)
        self.retry_seconds = retry_seconds

    @property
    def url(self) -> str:
        return self.connection.url

    def sign_in(self, username: str, password: str) -> dict[str, Any]:
        """Call as this person from now on, with tokens that are renewed while they can be. Who that is."""
        said = {"username": username, "password": password}
        answer = again(
            lambda: Connection(self.url, "").call("POST", "auth/login/", said),
            within_seconds=self.retry_seconds,
            repeatable=True,
        ).body
        self.connection.bearer = Session(answer["access"], answer["refresh"])
        return dict(answer["user"])

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        seconds: float = ANSWER_SECONDS,
        repeatable: bool | None = None,
    ) -> Answer:
        """Any call of the API, by its path below /api/v1/: what this class has no method for.

        `repeatable`: whether it may be sent again when nobody knows what became of it. Raises ApiError, Unreachable.
        """
        address = with_query(path, query or {})
        may = method in REPEATABLE if repeatable is None else repeatable
        return again(
            lambda: self.connection.call(method, address, body, headers=headers, seconds=seconds),
            within_seconds=self.retry_seconds,
            repeatable=may,
        )

    def pages(self, path: str, **query: Any) -> Iterator[Any]:
        """The items of a list, page by page, each fetched when it is needed."""
        cursor = None
        while True:
            page = self.call("GET", path, query={"limit": PAGE, **query, "cursor": cursor}).body
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return


def with_query(path: str, query: Mapping[str, Any]) -> str:
    said = {name: text(value) for name, value in query.items() if value is not None and value != ""}
    return f"{path}?{urllib.parse.urlencode(said)}" if said else path


def text(value: Any) -> str:
    """As a query says it."""
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, (list, tuple)):
        return ",".join(str(one) for one in value)
    return str(value)


def moment(value: datetime | str) -> str:
    """RFC 3339. Raises ValueError for a time without an offset, which could be any."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.isoformat()
    return value


def segment(word: object) -> str:
    """A part of a path."""
    return urllib.parse.quote(str(word), safe="")


def new_key() -> str:
    """An Idempotency-Key of one's own."""
    return str(uuid4())


def from_environment(**others: Any) -> dict[str, Any]:
    """What Client() takes, by SMARTQUEUE_URL, SMARTQUEUE_KEY or SMARTQUEUE_TOKEN, and SMARTQUEUE_ORG."""
    names = {name: os.environ.get(f"SMARTQUEUE_{name.upper()}", "") for name in ("url", "key", "token", "org")}
    if names["key"]:
        names["token"] = ""
    return {**names, **others}
