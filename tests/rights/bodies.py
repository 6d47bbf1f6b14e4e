"""What is sent along, by method and the name of a route: so that who is let in wrongly does something."""

from typing import Any

from tests.jobs.api.test_rights import CALLS
from tests.jobs.api.test_worker_rights import BODY as WORKERS
from tests.orgs.test_matrix import API
from tests.orgs.test_matrix import PAGES as PERSONS

PAGES: dict[str, Any] = {
    "submit": {"type": "python", "payload": '{"task": "demo.add", "kwargs": {"a": 1, "b": 2}}'},
    "forecast": {"type": "python", "payload": '{"task": "demo.add", "kwargs": {"a": 1, "b": 2}}'},
    "views": {"name": "Mine", "query": "status=failed"},
    "view_change": {"name": "Another"},
    "columns": {"column": "queue"},
    "correction": {"category": "Network", "urgency": "high"},
    "job_snooze": {"seconds": "60"},
    "job_run_now": {},
    "job_change": {"urgency": "high", "queue": "elsewhere"},
    "categories": {"categories": "A\nB"},
    "queue_policy": {"policy": "fifo"},
    "queue_pause": {"reason": "x"},
    "queue_close": {"reason": "x"},
    "queue_target": {"target_seconds": "30"},
    "pause": {"type": "shell", "reason": "x"},
    "limit_set": {"scope": "type", "name": "shell", "max_running": "2"},
    "schedule_new": {
        "schedule-name": "made", "schedule-cron": "@daily", "schedule-timezone": "UTC", "schedule-missed": "once",
        "type": "python", "as": "json", "raw": '{"task": "demo.add", "kwargs": {"a": 1, "b": 2}}', "queue": "default",
        "once": "1",
    },
    "schedule_edit": {
        "schedule-name": "changed", "schedule-cron": "@daily", "schedule-timezone": "UTC", "schedule-missed": "once",
        "type": "python", "as": "json", "raw": '{"task": "demo.add", "kwargs": {"a": 1, "b": 2}}', "queue": "default",
        "once": "1", "version": "1",
    },
    "schedule_pause": {"reason": "x"},
    "schedule_remove": {"version": "1"},
    "job_settings": {"shell_programs": ""},
    "bulk_selected": {"kind": "replay", "job": "00000000-0000-0000-0000-000000000000"},
    "secrets": {"name": "other", "value": "hunter2hunter2"},
    "webhooks": {"target": "https://example.com/hook", "events": ["job.done"]},
    "webhook": {"target": "https://example.com/hook", "events": ["job.done"]},
    "webhook_turn": {"active": "off"},
    "webhook_resend_failed": {"since": "24h"},
    "mail_address_add": {"mail-target": "a@example.com", "mail-events": ["job.failed"]},
    "alerts": {"name": "n", "kind": "latency", "threshold": "5", "window_seconds": "600", "settle_seconds": "60"},
    "alert_rule": {"name": "n", "kind": "latency", "threshold": "5", "window_seconds": "600", "settle_seconds": "60"},
    "alert_rule_pause": {"paused": "on"},
    "api-worker-commands": {"command": "quiet"},
    "platform-organisation-change": {"weight": "2"},
    "platform-organisation-suspend": {"reason": "unpaid"},
}  # fmt: skip
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
