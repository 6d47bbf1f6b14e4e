"""Secrets over REST: what goes in, what never comes out, and payloads that refer to them or hide what they hold."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from jobs.masking import MASK
from jobs.models import Batch, Job, Schedule
from orgs.models import AuditEntry, Secret
from orgs.vault import values_of
from tests.conftest import World
from tests.factories import api, claim_all, make_dead_letter, make_job
from tests.jobs.api.refusals import assert_refused

pytestmark = pytest.mark.django_db

JOBS, SECRETS = "/api/v1/jobs/", "/api/v1/secrets/"
VALUE = "hunter2-and-more"


def echo(value: Any, **kwargs: Any) -> dict[str, Any]:
    return {"type": "python", "payload": {"task": "tests.fail_with", "kwargs": {"message": value, **kwargs}}}


def http(**fields: Any) -> dict[str, Any]:
    return {"type": "http", "payload": {"url": "https://example.com/", **fields}}


def faults(response: Any) -> dict[str, str]:
    return {one["pointer"]: one["detail"] for one in assert_refused(response)["errors"]}


# --- keeping them ---------------------------------------------------------------------------------------------------


def test_it_is_set_replaced_listed_and_removed_and_never_shown(world: World) -> None:
    client = api(world.owner)

    created = client.put(f"{SECRETS}mailgun/", {"value": VALUE})
    replaced = client.put(f"{SECRETS}mailgun/", {"value": VALUE + "2"})
    listed = client.get(SECRETS)

    assert (created.status_code, replaced.status_code) == (201, 200)
    assert values_of(world.org.pk, {"mailgun"}) == {"mailgun": VALUE + "2"}
    (item,) = listed.json()["items"]
    assert set(item) == {
        *("name", "reference", "key_id", "created_by", "created_at", "updated_by", "updated_at", "last_used_at"),
        "version",
    }
    assert (item["name"], item["reference"], item["created_by"]) == ("mailgun", "{{secret:mailgun}}", "owner")
    assert all(VALUE not in answer.content.decode() for answer in (created, replaced, listed))
    assert client.delete(f"{SECRETS}mailgun/").status_code == 204
    assert client.get(SECRETS).json()["items"] == []
    assert_refused(client.delete(f"{SECRETS}mailgun/"), 404)


def test_there_is_no_way_to_read_one(world: World) -> None:
    api(world.owner).put(f"{SECRETS}mailgun/", {"value": VALUE})

    assert_refused(api(world.owner).get(f"{SECRETS}mailgun/"), 405)
    assert_refused(api(world.platform_admin, world.org).get(f"{SECRETS}mailgun/"), 405)


@pytest.mark.parametrize("value", ["abc", "", " a b c ", "x" * 8_001, 12345678, None, ["hunter2x"], {"a": "hunter2x"}])
def test_a_bad_value_is_refused_and_not_repeated(world: World, value: Any) -> None:
    problem = assert_refused(api(world.owner).put(f"{SECRETS}mailgun/", {"value": value}))

    assert problem["errors"][0]["pointer"].startswith("/value")
    assert "hunter2x" not in json.dumps(problem)
    assert not Secret.objects.exists()


@pytest.mark.parametrize("name", ["1st", "mail-gun", "a.b", "a%20b", "%C3%A9", "a" * 65, "a%00b", "{{secret:a}}"])
def test_a_bad_name_is_refused(world: World, name: str) -> None:
    assert "/name" in faults(api(world.owner).put(f"{SECRETS}{name}/", {"value": VALUE}))
    assert_refused(api(world.owner).delete(f"{SECRETS}{name}/"), 404)


def test_operators_see_the_names_that_they_may_use_and_viewers_do_not(world: World) -> None:
    api(world.owner).put(f"{SECRETS}mailgun/", {"value": VALUE})

    assert len(api(world.operator).get(SECRETS).json()["items"]) == 1
    assert api(world.viewer).get(SECRETS).status_code == 403


def test_the_admin_site_has_no_page_of_them(world: World) -> None:
    client = api()
    client.force_login(world.platform_admin)
    assert client.get("/admin/orgs/secret/").status_code == 404


# --- referring to them ----------------------------------------------------------------------------------------------


@pytest.fixture
def mailgun(world: World) -> None:
    api(world.owner).put(f"{SECRETS}mailgun/", {"value": VALUE})


def test_an_operator_may_use_one_by_name(world: World, mailgun: None) -> None:
    sent = http(headers={"Authorization": "Bearer {{secret:mailgun}}"}, json={"a": ["{{secret:mailgun}}"]})

    response = api(world.operator).post(JOBS, sent)

    assert response.status_code == 201
    # what is stored and shown is the reference
    assert response.json()["payload"] == sent["payload"] == Job.objects.get().payload
    (claimed,) = claim_all()
    assert claimed.has_references
    assert claimed.payload == sent["payload"]


def test_a_job_without_any_is_claimed_as_one(world: World) -> None:
    make_job(world.org, payload={"task": "tests.fail_with", "kwargs": {"message": "{{secret}} {{"}})
    (claimed,) = claim_all()
    assert not claimed.has_references


BAD = {
    "unknown": ("{{secret:nobody}}", "Your organisation has no secret 'nobody'."),
    "malformed": ("{{secret:mail-gun}}", "Write {{secret:name}}"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_reference_names_the_field_wherever_jobs_come_in(world: World, mailgun: None, kind: str) -> None:
    text, sentence = BAD[kind]
    client, job, pointer = api(world.owner), echo(text), "/payload/kwargs/message"
    dead = make_dead_letter(world.org)
    schedule = {"name": "s", "cron": "@daily", "job": job}

    for where, response in {
        pointer: client.post(JOBS, job),
        f"{pointer} ": client.post("/api/v1/predict/", job),
        f"{pointer}  ": client.post("/api/v1/tasks/", job),
        f"{pointer}   ": client.post(f"{JOBS}{dead.pk}/replay/", {"payload": job["payload"]}),
        f"/job{pointer}": client.post("/api/v1/schedules/", schedule),
        f"/jobs/0{pointer}": client.post("/api/v1/batches/", {"jobs": [job]}),
        f"/callback/job{pointer}": client.post("/api/v1/batches/", {"jobs": [echo("a")], "callback": {"job": job}}),
    }.items():
        assert faults(response)[where.strip()].startswith(sentence)
    bulk = client.post(f"{JOBS}bulk/", {"jobs": [job, echo("{{secret:mailgun}}")]}).json()
    assert (bulk["created"], bulk["refused"]) == (1, 1)
    assert bulk["items"][0]["errors"][0]["pointer"] == f"/jobs/0{pointer}"


def test_another_organisations_secret_is_unknown(world: World, mailgun: None) -> None:
    assert "no secret 'mailgun'" in str(faults(api(world.outsider).post(JOBS, echo("{{secret:mailgun}}"))))


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://example.com/{{secret:mailgun}}", True),
        ("https://example.com?key={{secret:mailgun}}", True),
        ("https://example.com/a?key={{secret:mailgun}}&b", True),
        ("https://{{secret:mailgun}}/", False),
        ("https://{{secret:mailgun}}.example.com/", False),
        ("https://example.com{{secret:mailgun}}/", False),
        ("https://example.com:{{secret:mailgun}}/", False),
        ("https://me:{{secret:mailgun}}@example.com/", False),
        ("{{secret:mailgun}}", False),
        ("{{secret:mailgun}}://example.com", False),
    ],
)
def test_the_host_of_a_request_is_there_to_be_seen(world: World, mailgun: None, url: str, good: bool) -> None:
    response = api(world.operator).post(JOBS, http(url=url))

    assert response.status_code == (201 if good else 400)
    if not good:
        assert set(faults(response)) == {"/payload/url"}


def test_many_jobs_of_a_call_look_them_up_once(world: World, mailgun: None, django_assert_max_num_queries: Any) -> None:
    def submit(count: int) -> None:
        answer = api(world.operator).post(f"{JOBS}bulk/", {"jobs": [echo("{{secret:mailgun}}")] * count})
        assert answer.json()["created"] == count

    submit(1)
    with django_assert_max_num_queries(20):
        submit(100)


# --- what a payload hides by its names ------------------------------------------------------------------------------


def secretive(**more: Any) -> dict[str, Any]:
    return http(headers={"Authorization": f"Bearer {VALUE}", "Accept": "*/*"}, json={"password": VALUE, **more})


def test_values_under_telling_names_are_nowhere_shown(world: World) -> None:
    client = api(world.owner)
    job_id = client.post(JOBS, secretive()).json()["id"]
    batch = client.post("/api/v1/batches/", {"jobs": [secretive()], "callback": {"job": secretive()}}).json()
    schedule = client.post("/api/v1/schedules/", {"name": "s", "cron": "@daily", "job": secretive()}).json()

    for path in (
        *(JOBS, f"{JOBS}{job_id}/", "/api/v1/tasks/", f"/api/v1/tasks/{job_id}/", "/api/v1/schedules/"),
        *(f"/api/v1/schedules/{schedule['id']}/", "/api/v1/batches/", f"/api/v1/batches/{batch['id']}/"),
    ):
        assert VALUE not in api(world.viewer).get(path).content.decode(), path
    shown = client.get(f"{JOBS}{job_id}/").json()["payload"]
    assert shown["headers"] == {"Authorization": MASK, "Accept": "*/*"}
    assert schedule["job"]["payload"]["json"] == {"password": MASK}
    assert batch["callback"]["job"]["payload"]["json"] == {"password": MASK}
    # and kept all the same
    assert Job.objects.get(pk=job_id).payload == secretive()["payload"]
    assert (Batch.objects.get().callback or {})["payload"] == secretive()["payload"]
    assert VALUE not in json.dumps(list(AuditEntry.objects.values()), default=str)


def test_a_repeat_is_one_of_the_true_payload(world: World) -> None:
    client = api(world.operator)

    def submit(job: dict[str, Any]) -> Any:
        return client.post(JOBS, job, headers={"Idempotency-Key": "k"})

    assert [submit(secretive()).status_code for _ in range(2)] == [201, 200]
    other = secretive()
    other["payload"]["json"]["password"] = "another"
    assert submit(other).status_code == 422


def test_a_mask_is_no_value(world: World) -> None:
    sent = http(headers={"Authorization": MASK}, json={"password": [MASK], "note": MASK})

    assert set(faults(api(world.operator).post(JOBS, sent))) == {
        "/payload/headers/Authorization",
        "/payload/json/password/0",
    }


def test_an_edited_replay_keeps_what_was_sent_back_hidden(world: World) -> None:
    job = make_dead_letter(world.org, **secretive(a=1))
    client = api(world.operator)
    shown = client.get(f"{JOBS}{job.pk}/").json()["payload"]
    assert shown["json"] == {"password": MASK, "a": 1}

    sent = {**shown, "json": {**shown["json"], "a": 2, "token": "new-token"}}
    response = client.post(f"{JOBS}{job.pk}/replay/", {"payload": sent})

    assert response.status_code == 200, response.content
    job.refresh_from_db()
    assert job.payload == {
        **secretive()["payload"],
        "json": {"password": VALUE, "a": 2, "token": "new-token"},
    }
    detail = AuditEntry.objects.get(action="job.replay").detail
    assert detail["old"]["payload"]["json"] == {"password": MASK, "a": 1}
    assert detail["new"]["payload"]["json"] == {"password": MASK, "a": 2, "token": MASK}
    assert VALUE not in response.content.decode()


def test_a_changed_schedule_keeps_what_was_sent_back_hidden(world: World) -> None:
    client = api(world.owner)
    made = client.post("/api/v1/schedules/", {"name": "s", "cron": "@daily", "job": secretive()}).json()
    path, tag = f"/api/v1/schedules/{made['id']}/", {"If-Match": "*"}
    job = {**made["job"], "queue": "reports"}

    assert client.patch(path, {"job": job}, headers=tag).status_code == 200

    stored = Schedule.objects.get().job
    assert (stored["payload"], stored["queue"]) == (secretive()["payload"], "reports")
    # of another type it is another job
    assert client.patch(path, {"job": {**echo("a"), "payload": job["payload"]}}, headers=tag).status_code == 400


# --- docs/secrets.md ------------------------------------------------------------------------------------------------


def test_the_commands_of_the_page_work_one_after_the_other(world: World) -> None:
    """In the order in which they stand there."""
    text = (Path(__file__).parents[3] / "docs" / "secrets.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    client, answers = api(world.owner), []
    for command in re.findall(r"^curl .*(?:\n  .*)*", block, re.MULTILINE):
        words = shlex.split(command.replace("\\\n", ""))
        method = words[words.index("-X") + 1] if "-X" in words else "POST" if "-d" in words else "GET"
        (path,) = (word.removeprefix("$URL") for word in words if word.startswith("$URL"))
        body = words[words.index("-d") + 1] if "-d" in words else ""
        answers.append(client.generic(method, path, body, content_type="application/json").status_code)

    assert answers == [201, 201, 200, 204]
