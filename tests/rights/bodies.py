"""What is sent along, by method and the name of a route: so that who is let in wrongly does something."""

from typing import Any

from tests.jobs.api.test_rights import CALLS
from tests.jobs.api.test_worker_rights import BODY as WORKERS
from tests.orgs.test_matrix import API
from tests.orgs.test_matrix import PAGES as PERSONS

PAGES: dict[str, Any] = {
    "submit": {"type": "python", "payload": '{"task": "demo.add", "kwargs": {"a": 1, "b": 2}}'},
    "forecast": {"type": "python", "payload": '{"task": "demo.add", "kwargs": {"a": 1, "b": 2}}'},
    "correction": {"category": "Network", "urgency": "high"},
    "categories": {"categories": "A\nB"},
    "queue_policy": {"policy": "fifo"},
    "queue_pause": {"reason": "x"},
    "job_settings": {"shell_programs": ""},
    "replay_all": {"confirm": "1"},
}
BODIES: dict[tuple[str, str], Any] = {
    **{(call.method, call.route): call.body for call in CALLS},
    **{("POST", route): body for route, body in WORKERS.items()},
    **{
        (method.upper(), name): body
        for table in (API, PERSONS)
        for name, calls in table.items()
        for method, _, body, _ in calls
    },
    **{("POST", name): body for name, body in PAGES.items()},
}
TAGS = {(call.method, call.route): call.tag for call in CALLS if call.tag}
