"""smoke.py http://host:port: register, submit a job, wait for its result. Standard library only; exit status 0 or 1."""

import json
import secrets
import sys
import time
import urllib.request
from typing import Any

WITHIN_SECONDS = 60.0
# Of smartqueue.demo.tasks, which SMARTQUEUE_TASK_MODULES must name.
ADD = {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}


def main(address: str) -> int:
    name = f"smoke{secrets.token_hex(4)}"
    person = {"username": name, "password": secrets.token_hex(12), "email": f"{name}@example.com", "organisation": name}
    token = call(address, "auth/register/", person)["access"]
    job = call(address, "jobs/", {"type": "python", "payload": ADD}, token)
    end = time.monotonic() + WITHIN_SECONDS
    while job["status"] not in ("done", "failed", "cancelled") and time.monotonic() < end:
        job = call(address, f"jobs/{job['id']}/?wait=10", token=token)
    print(f"job {job['id']}: {job['status']}, result {job.get('result')}")  # noqa: T201
    return 0 if (job["status"], job.get("result")) == ("done", 3) else 1


def call(address: str, path: str, body: dict[str, Any] | None = None, token: str = "") -> Any:
    request = urllib.request.Request(f"{address}/api/v1/{path}", method="POST" if body else "GET")  # noqa: S310
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    data = json.dumps(body).encode() if body else None
    with urllib.request.urlopen(request, data, timeout=30) as answer:  # noqa: S310
        return json.load(answer)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1].rstrip("/")))
