"""A canary: secrets that real processes really use, looked for afterwards in all that anybody can see or keep."""

import base64
import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID
from zipfile import ZipFile

import urllib3
from django.db import connection
from django.http import HttpResponse
from django.urls import URLPattern, URLResolver, get_resolver
from psycopg.sql import SQL, Identifier
from pytest_django.fixtures import Settings

from jobs.handlers import registry
from jobs.masking import MASK, Mask
from jobs.models import Artefact, Batch, Delivery, ErrorGroup, Job, LogLine, Schedule, Subscriber
from orgs.models import AuditEntry, Org, Secret, User
from orgs.roles import Role
from orgs.tokens import give_tokens
from tests.factories import api, browser, make_member, make_org, make_user, make_webhook
from tests.processes import Fleet, patiently
from tests.scenarios.echo import echo

CANARY = 'C4nary/+"q"&<x>=5e2f9b1c'
# It can be part of a name.
PLAIN = "PlainCanary77a1b2c3"
# In a payload as it is, under a telling name: kept, and shown nowhere.
BY_NAME = "ByName55d0e1f2a3b4"
VALUES = {"canary": CANARY, "plain": PLAIN}
# Where payloads are kept.
PAYLOADS = {"jobs_job": "payload", "jobs_schedule": "job", "jobs_batch": "callback"}


# --- jobs that use them ----------------------------------------------------------------------------------------------


def http(url: str) -> dict[str, Any]:
    payload = {
        "method": "POST",
        "url": f"{url}?key={{{{secret:canary}}}}&plain={{{{secret:plain}}}}",
        "headers": {
            "Authorization": "Bearer {{secret:canary}}",
            "X-Secret": "{{secret:canary}}",
            "X-Api-Key": BY_NAME,
        },
        "json": {"deep": [{"value": "a {{secret:canary}} b"}], "password": "{{secret:plain}}", "token": BY_NAME},
    }
    return {"type": "http", "payload": payload, "max_attempts": 1}


def shell(*argv: str, **fields: Any) -> dict[str, Any]:
    return {"type": "shell", "payload": {"argv": list(argv), **fields}, "max_attempts": 1}


def python(task: str, value: str) -> dict[str, Any]:
    return {"type": "python", "payload": {"task": task, "kwargs": {"value": value}}, "max_attempts": 1}


def jobs(url: str) -> list[dict[str, Any]]:
    both = "x{{secret:canary}}y{{secret:plain}}z"
    found = [
        *(http(f"{url}/{path}") for path in ("fine", "missing", "broken", "bytes", "moved")),
        shell("/usr/bin/printenv", env={"SECRET_ONE": "{{secret:canary}}", "DB_PASSWORD": BY_NAME}),
        shell("/bin/cat", stdin="{{secret:canary}}\n{{secret:plain}}"),
        shell("/bin/echo", "-n", "{{secret:canary}}"),
        shell("/bin/ls", "/no/{{secret:plain}}"),
        *(python(task, both) for task in ("child_tasks.leak", "tests.leak", "tests.named_value")),
        *(python(task, "{{secret:plain}}") for task in ("child_tasks.leak", "tests.named_value_async")),
    ]
    if "email" in registry.types():
        letter = {"to": ["a@example.com"], "subject": "s {{secret:plain}}", "text": both}
        found.append({"type": "email", "payload": letter, "max_attempts": 1})
    return found


class Rest:
    def __init__(self, url: str, person: User) -> None:
        self.url = url
        self.pool = urllib3.PoolManager(retries=False, timeout=60)
        token = give_tokens(person).access_token
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Connection": "close"}

    def ready(self) -> bool:
        try:
            return self.pool.request("GET", f"{self.url}/healthz").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def call(self, method: str, path: str, body: Any) -> dict[str, Any]:
        reply = self.pool.request(method, f"{self.url}/api/v1/{path}", body=json.dumps(body), headers=self.headers)
        assert reply.status in (200, 201), reply.data
        assert_hidden(reply.data.decode(), f"{method} {path}")
        return dict(reply.json())


def use(rest: Rest, url: str) -> None:
    """Every way in which a job with secrets comes to be."""
    for name, value in VALUES.items():
        rest.call("PUT", f"secrets/{name}/", {"value": value})
    for job in jobs(url):
        rest.call("POST", "jobs/", job)
    rest.call("POST", "batches/", {"jobs": [http(f"{url}/batch")], "callback": {"job": http(f"{url}/callback")}})
    schedule = rest.call("POST", "schedules/", {"name": "s", "cron": "@yearly", "job": http(f"{url}/scheduled")})
    rest.call("POST", f"schedules/{schedule['id']}/run/", {})
    patiently(lambda: Batch.objects.filter(callback_job_id__isnull=False).exists())
    patiently(all_ended)
    dead = Job.objects.filter(status="failed", type="http").order_by("pk")[0]
    shown = rest.call("GET", f"jobs/{dead.pk}/", None)["payload"]
    assert shown["json"]["token"] == shown["headers"]["X-Api-Key"] == MASK
    rest.call("POST", f"jobs/{dead.pk}/replay/", {"payload": {**shown, "url": f"{url}/replayed?{{{{secret:plain}}}}"}})
    patiently(all_ended)


def all_ended() -> bool:
    return not Job.objects.exclude(status__in=["done", "failed", "cancelled"]).exists()


# --- and where they are looked for -----------------------------------------------------------------------------------

SECRETS, ALL = Mask(VALUES.values()), Mask([*VALUES.values(), BY_NAME])


def traces(value: str) -> set[str]:
    """What Mask should have found, told without it: base64 less what depends on what stands around it."""
    data = value.encode()
    parts = {base64.b64encode(bytes(shift) + data).decode()[4:-4] for shift in range(3)}
    return parts | {value, quote(value, safe=""), json.dumps(value)[1:-1], data.hex(), repr(value)[1:-1]}


TRACES = {mask: set().union(*map(traces, mask.values)) for mask in (SECRETS, ALL)}


def assert_hidden(text: str, where: str, mask: Mask = ALL) -> None:
    assert not [trace for trace in TRACES[mask] if trace in text], where
    found = mask.text(text)
    if found != text:
        at = next(index for index, (one, other) in enumerate(zip(found, text, strict=False)) if one != other)
        raise AssertionError(f"{where} shows one: …{text[max(at - 200, 0) : at + 100]}…")


def routes(patterns: list[URLPattern | URLResolver], prefix: str = "/") -> Iterator[tuple[str, list[str]]]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if pattern.app_name != "admin":
                yield from routes(pattern.url_patterns, route)
        else:
            yield route, list(pattern.pattern.converters)


def paths(route: str, names: list[str], known: dict[str, list[str]]) -> list[str]:
    """One for each thing there is."""
    found = [route]
    for name in names:
        kinds = [word for word in route.split("<")[1:] if word.split(">")[0].split(":")[-1] == name]
        mark = "<" + kinds[0].split(">")[0] + ">"
        found = [path.replace(mark, value) for path in found for value in known[name]]
    return found


def known_things(org: Org) -> dict[str, list[str]]:
    ids = [str(pk) for pk in Job.objects.values_list("pk", flat=True)]
    return {
        "job_id": ids,
        "task_id": ids,
        "batch_id": [str(Batch.objects.get().pk)],
        "schedule_id": [str(Schedule.objects.get().pk)],
        "artefact_id": [str(pk) for pk in Artefact.objects.values_list("pk", flat=True)],
        "attempt": ["1"],
        "name": ["default", "canary"],
        "scope": ["type"],
        "slug": [org.slug],
        "username": ["owner"],
        "id": ["1"],
        "key_id": ["1"],
        "webhook_id": [str(Subscriber.objects.get().pk)],
        "delivery_id": [str(pk) for pk in Delivery.objects.values_list("pk", flat=True)],
        "alert_id": ["none"],
        "rule_id": ["none"],
        "sign_in_id": ["none"],
        "pause_id": ["00000000-0000-7000-8000-000000000000"],
        "worker_id": ["00000000-0000-7000-8000-000000000000"],
        "lease": ["none"],
        "word": ["none"],
        "version": ["1"],
        "operation_id": ["none"],
        "view_id": ["1"],
        "fingerprint": [*ErrorGroup.objects.values_list("fingerprint", flat=True), "none"],
    }


def text_of(response: HttpResponse) -> str:
    content = b"".join(response) if response.streaming else response.content
    if response["Content-Type"] == "application/zip":
        whole = ZipFile(BytesIO(bytes(content)))
        content = b"".join(whole.read(name) for name in whole.namelist())
    return bytes(content).decode(errors="replace") + str(response.headers)


def assert_no_answer_shows_one(org: Org, owner: User) -> int:
    """Every route and page, and /metrics; how many answers were looked at."""
    admin = make_user("platform", is_superuser=True, is_staff=True)
    known, looked = known_things(org), 0
    site = browser(admin)
    for client in (api(owner), browser(owner), api(admin, org), site):
        for route, names in routes(get_resolver().url_patterns):
            for path in paths(route, names, known):
                assert_hidden(text_of(client.get(path)), path)
                looked += 1
    for job_id in known["job_id"]:
        for path in (f"/admin/jobs/job/{job_id}/change/", f"/jobs/submit/?from={job_id}"):
            assert_hidden(text_of(site.get(path)), path)
    for path in ("/admin/orgs/auditentry/", "/admin/jobs/job/"):
        assert_hidden(text_of(site.get(path)), path)
    return looked


def assert_not_in_the_database() -> int:
    """All tables as text, payloads aside for what is in them by its name; how many rows were looked at."""
    rows = 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(SQL("SELECT row_to_json(one)::jsonb FROM {} AS one").format(Identifier(table)))
            for (text,) in cursor.fetchall():
                row = json.loads(text) if isinstance(text, str) else text
                rows += 1
                assert_hidden(json.dumps(row, ensure_ascii=False), table, SECRETS)
                assert_hidden(json.dumps({**row, PAYLOADS.get(table, ""): None}, ensure_ascii=False), table)
    return rows


def test_secrets_are_used_and_nowhere_to_be_seen(fleet: Fleet, tmp_path: Path, settings: Settings) -> None:
    org = make_org("acme", shell_programs=["/bin/echo", "/bin/cat", "/usr/bin/printenv", "/bin/ls"])
    owner = make_member(org, Role.ORG_ADMIN, "owner")
    with echo() as (url, told):
        fleet.environ |= {"SMARTQUEUE_HTTP_ALLOW_HOSTS": url.removeprefix("http://")}
        settings.HTTP_ALLOW_HOSTS = [url.removeprefix("http://")]
        # nobody answers there: what it would be told stays to be seen
        make_webhook(org)
        rest = Rest(fleet.web(), owner)
        fleet.workers(1, "--concurrency", "3", SMARTQUEUE_LOG_FORMAT="json")
        fleet.workers(1, "--concurrency", "3", SMARTQUEUE_LOG_FORMAT="console")
        fleet.scheduler()
        patiently(rest.ready)
        use(rest, url)

    # they were really used
    assert {path for path in ("fine", "bytes", "batch", "callback", "scheduled", "replayed", "there?back=") if
            not any(f"/{path}" in one for one in told)} == set()  # fmt: skip
    assert all(f"Authorization: Bearer {CANARY}" in one for one in told if "/fine" in one)
    assert all(json.dumps(CANARY)[1:-1] in one and PLAIN in one and BY_NAME in one for one in told if "/fine" in one)
    lines = "\n".join(LogLine.objects.values_list("text", flat=True))
    assert lines.count(f"SECRET_ONE={MASK}") == lines.count(f"DB_PASSWORD={MASK}") == 1
    assert lines.count(f"printed x{MASK}y{MASK}z") == lines.count(f"logged {MASK}\n") == 1
    assert Job.objects.filter(error__contains=f"bad x{MASK}y{MASK}z").count() == 2
    assert sorted(Artefact.objects.values_list("name", flat=True)) == ["named-xxx.txt", "other.txt"]
    logs = "\n".join(process.text for process in fleet.processes)
    assert logs.count(f"isolated: x{MASK}y{MASK}z") >= 1
    assert logs.count(f"a thread of its own: x{MASK}y{MASK}z") >= 1
    assert f"thread printed x{MASK}y{MASK}z" in logs
    # and are nowhere
    assert_hidden(logs, "a process's log")
    assert assert_no_answer_shows_one(org, owner) > 500
    assert assert_not_in_the_database() > 100
    assert_hidden(json.dumps(list(AuditEntry.objects.values()), default=str), "the audit trail")
    for secret in Secret.objects.all():
        nonce_and_box = base64.b64decode(secret.sealed.rsplit(".", 1)[1])
        assert VALUES[secret.name].encode() not in nonce_and_box
        assert secret.last_used_at is not None


def test_the_keys_are_in_no_child(fleet: Fleet) -> None:
    org = make_org("acme")
    fleet.environ["ENCRYPTION_KEYS"] = "theirs:" + "k" * 40
    rest = Rest(fleet.web(), make_member(org, Role.OPERATOR))
    fleet.workers(1)
    patiently(rest.ready)

    job = rest.call("POST", "jobs/", {"type": "python", "payload": {"task": "child_tasks.keys_here"}})

    patiently(lambda: Job.objects.filter(pk=UUID(job["id"]), status="done").exists())
    assert Job.objects.get().result == ["none", "ENCRYPTION_KEYS"]
