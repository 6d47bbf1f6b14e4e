"""Many clients of a real web server that call at the same moment."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, NamedTuple, TypeVar

import urllib3

from orgs.models import Org
from orgs.roles import Role
from orgs.tokens import give_tokens
from tests.factories import make_member
from tests.processes import Fleet, patiently

T = TypeVar("T")
CROWD = 100


class Answer(NamedTuple):
    status: int
    body: dict[str, Any]


class Rest:
    """Calls with the token of somebody of the organisation.

    Each over a connection of its own: one that is kept may be closed by the server, idle, just when it is used again.
    """

    def __init__(self, fleet: Fleet, org: Org, role: Role = Role.OPERATOR, log_level: str = "WARNING") -> None:
        self.url = fleet.web(log_level=log_level)
        self.pool = urllib3.PoolManager(maxsize=CROWD, retries=False, timeout=120)
        token = give_tokens(make_member(org, role)).access_token
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Connection": "close"}
        patiently(self.ready)

    def ready(self) -> bool:
        try:
            return self.pool.request("GET", f"{self.url}/healthz").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def post(self, path: str, body: dict[str, Any], key: str = "") -> Answer:
        headers = {**self.headers, **({"Idempotency-Key": key} if key else {})}
        reply = self.pool.request("POST", f"{self.url}/api/v1/{path}", body=json.dumps(body), headers=headers)
        return Answer(reply.status, reply.json())

    def submit(self, task: str, **kwargs: Any) -> str:
        """The id of a new job."""
        fields = {name: kwargs.pop(name) for name in ("delay_seconds",) if name in kwargs}
        answer = self.post("jobs/", {"type": "python", "payload": {"task": task, "kwargs": kwargs}, **fields})
        assert answer.status == 201, answer
        return str(answer.body["id"])


class Crowd:
    """A hundred threads that do the same at once."""

    def __enter__(self) -> "Crowd":
        self.pool = ThreadPoolExecutor(CROWD)
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown()

    def all(self, call: Callable[[], T]) -> Sequence[T]:
        """Their answers."""
        barrier = Barrier(CROWD)

        def run(_: int) -> T:
            barrier.wait(60)
            return call()

        return list(self.pool.map(run, range(CROWD)))
