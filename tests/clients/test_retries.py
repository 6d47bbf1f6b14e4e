"""The client asks again what may be asked again, as the server says, with one key; its errors are types."""

import socket
import threading
from pathlib import Path
from typing import Any

import pytest
import smartqueue_client
from smartqueue_client import Client, retries
from smartqueue_client.errors import KINDS, ApiError, refusal

from tests.clients.conftest import Stub, Told

JOB: dict[str, Any] = {"id": "018f", "status": "queued", "result": None, "error_type": "", "error": ""}
DONE = {**JOB, "status": "done", "result": 3}
AWAY = Told(503, {"detail": "The database is not answering.", "type": "urn:smartqueue:problem:database_away"})
BUSY = Told(429, {"detail": "Too many."}, {"Retry-After": "7"})


@pytest.fixture
def client(stub: Stub) -> Client:
    return Client(stub.url, key="sq_live_x", org="acme")


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What it would have slept; it does not."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    return slept


def keys(stub: Stub) -> list[str]:
    return [asked.headers["Idempotency-Key"] for asked in stub.asked]


def test_a_submit_keeps_its_key_over_its_retries_and_the_next_has_another(stub: Stub, client: Client) -> None:
    stub.answer(AWAY, Told(0), BUSY, Told(201, JOB))

    assert client.submit("python", {"task": "demo.add"})["id"] == "018f"
    client.submit("python", {"task": "demo.add"})

    first, *others, last = keys(stub)
    assert others == [first] * 3
    assert last not in ("", first)
    assert {asked.headers["Authorization"] for asked in stub.asked} == {"Bearer sq_live_x"}
    assert {asked.headers["X-Org"] for asked in stub.asked} == {"acme"}


def test_jobs_of_a_bulk_keep_their_keys_and_a_caller_gives_his_own(stub: Stub, client: Client) -> None:
    items = [{"index": 0, "status": "created", "id": "1"}, {"index": 1, "status": "created", "id": "2"}]
    stub.answer(AWAY, Told(200, {"items": items}))
    job: Any = {"type": "python", "payload": {}}

    assert [item["index"] for item in client.submit_many([job, {**job, "idempotency_key": "mine"}])] == [0, 1]

    first, again = (asked.body["jobs"] for asked in stub.asked)
    assert first == again
    assert first[0]["idempotency_key"]
    assert first[1]["idempotency_key"] == "mine"
    stub.answers[:] = [Told(201, JOB)]
    client.submit("python", {}, idempotency_key="mine too")
    assert stub.asked[-1].headers["Idempotency-Key"] == "mine too"


def test_it_waits_as_long_as_the_server_asks_and_else_longer_each_time(
    stub: Stub, client: Client, pauses: list[float]
) -> None:
    stub.answer(BUSY, AWAY, AWAY, AWAY, Told(200, JOB))

    client.get("018f")

    assert pauses[0] == 7
    for number, pause in enumerate(pauses[1:]):
        # what doubled while it was told how long to wait, too
        longest = retries.FIRST_SECONDS * 2 ** (number + 1)
        assert longest / 2 <= pause <= longest


def test_it_gives_up_in_time_and_says_what_was_answered(stub: Stub, pauses: list[float]) -> None:
    client = Client(stub.url, key="k", retry_seconds=5)
    stub.answer(BUSY)

    with pytest.raises(smartqueue_client.TooManyRequests) as caught:
        client.get("018f")

    # seven seconds are more than five
    assert (len(stub.asked), pauses) == (1, [])
    assert caught.value.retry_after == 7


@pytest.mark.parametrize("answer", [AWAY, Told(0), Told(500, {"detail": "A bug."})], ids=["503", "broken", "500"])
def test_what_may_have_been_done_is_not_done_twice(stub: Stub, client: Client, answer: Told) -> None:
    stub.answer(answer)

    with pytest.raises(smartqueue_client.Unreachable):
        client.cancel("018f")

    assert len(stub.asked) == 1


def test_what_was_not_heard_is_said_again(stub: Stub, client: Client) -> None:
    stub.answer(BUSY, Told(200, {"id": "018f", "became": "cancelled", "status_url": ""}))

    assert client.cancel("018f")["became"] == "cancelled"


def test_a_bug_is_not_asked_again(stub: Stub, client: Client) -> None:
    stub.answer(Told(500, {"detail": "A bug."}))

    with pytest.raises(smartqueue_client.ServerError, match="A bug"):
        client.get("018f")

    assert len(stub.asked) == 1


def test_nobody_there_is_told_in_a_sentence(pauses: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"

    with pytest.raises(smartqueue_client.NotConnected, match="does not answer"):
        Client(url, key="k", retry_seconds=0).get("018f")


@pytest.mark.parametrize("url", ["", "queue.example.org", "ftp://x", "http://", "file:///etc/passwd"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        Client(url, key="k")


# --- Errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", sorted(KINDS))
def test_each_refusal_is_a_type_with_the_problem(stub: Stub, status: int) -> None:
    problem = {
        "type": "urn:smartqueue:problem:validation",
        "detail": "The request is not valid; see errors.",
        "request_id": "r-1",
        "errors": [{"pointer": "/name", "code": "max_length", "detail": "At most 64."}],
    }
    stub.answer(Told(status, problem))

    with pytest.raises(KINDS[status]) as caught:
        Client(stub.url, key="k", retry_seconds=0).get("018f")

    assert (caught.value.status, caught.value.code, caught.value.request_id) == (status, "validation", "r-1")
    assert caught.value.problem == problem
    assert str(caught.value) == "The request is not valid; see errors. /name: At most 64."


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"", b"\xff", b'{"errors": 1, "type": null}'])
def test_a_refusal_that_is_no_problem_is_one_all_the_same(stub: Stub, body: bytes) -> None:
    stub.answer(Told(404, body))

    with pytest.raises(smartqueue_client.NotFound, match="status 404"):
        Client(stub.url, key="k").get("018f")


def test_every_error_is_one_of_the_packages_own() -> None:
    for status in range(400, 600):
        assert isinstance(refusal(status, {}), ApiError)
    assert all(issubclass(kind, smartqueue_client.SmartQueueError) for kind in KINDS.values())


def test_an_answer_that_is_cut_short_is_no_answer(stub: Stub) -> None:
    stub.answer(Told(200, b'{"id":', {"Content-Length": "100", "Connection": "close"}))

    with pytest.raises(smartqueue_client.Unreachable):
        Client(stub.url, key="k", retry_seconds=0).get("018f")


def test_the_key_does_not_follow_to_another_place(stub: Stub, client: Client) -> None:
    stub.answer(Told(302, None, {"Location": f"{stub.url}/elsewhere"}))

    with pytest.raises(smartqueue_client.ApiError, match="leads to"):
        client.get("018f")

    assert [asked.path for asked in stub.asked] == ["jobs/018f/"]


# --- Sessions -------------------------------------------------------------------------------------------------------


def test_a_token_that_has_run_out_is_renewed_once_for_all_threads(stub: Stub) -> None:
    gone = Told(401, {"detail": "Token is expired"})
    stub.answer(Told(200, {"access": "a1", "refresh": "r1", "user": {"username": "ada"}}))
    client = Client(stub.url, token="x")
    assert client.sign_in("ada", "secret") == {"username": "ada"}
    assert "Authorization" not in stub.asked[0].headers
    stub.answers[:] = [gone, Told(200, {"access": "a2", "refresh": "r2"}), Told(200, JOB)]

    client.get("018f")

    assert [asked.path for asked in stub.asked[1:]] == ["jobs/018f/", "auth/refresh/", "jobs/018f/"]
    assert stub.asked[2].body == {"refresh": "r1"}
    assert stub.asked[3].headers["Authorization"] == "Bearer a2"
    threads = [threading.Thread(target=client.connection.bearer.renewed, args=("a1", stop)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def stop(refresh: str) -> dict[str, Any]:
    raise AssertionError("it was renewed already")


def test_a_key_that_is_refused_is_refused(stub: Stub, client: Client) -> None:
    stub.answer(Told(401, {"detail": "This key is not valid."}))

    with pytest.raises(smartqueue_client.Unauthorized):
        client.get("018f")

    assert len(stub.asked) == 1


# --- Waiting and files ----------------------------------------------------------------------------------------------


def test_a_wait_asks_with_the_version_it_has_and_stands_back_when_asked(
    stub: Stub, client: Client, pauses: list[float]
) -> None:
    queued = Told(200, JOB, {"ETag": '"1"'})
    stub.answer(queued, Told(304, None, {"ETag": '"1"'}), queued._replace(headers={"ETag": '"2"', "Retry-After": "1"}))
    stub.answer(Told(200, DONE))

    assert client.result("018f") == 3

    assert [asked.headers.get("If-None-Match") for asked in stub.asked] == [None, '"1"', '"1"', '"2"']
    assert [asked.path for asked in stub.asked] == ["jobs/018f/?wait=20"] * 4
    assert [pause for pause in pauses if pause] == [1]


def test_a_wait_ends_in_time_with_the_job_as_it_is(stub: Stub, client: Client) -> None:
    stub.answer(Told(200, JOB))

    with pytest.raises(smartqueue_client.WaitTimeout) as caught:
        client.wait("018f", timeout=0)

    assert caught.value.job["status"] == "queued"
    assert stub.asked[0].path == "jobs/018f/?wait=0"


def test_a_result_of_what_failed_says_why(stub: Stub, client: Client) -> None:
    stub.answer(Told(200, {**JOB, "status": "failed", "error_type": "ValueError", "error": "broken"}))

    with pytest.raises(smartqueue_client.JobFailed, match="is failed: ValueError: broken"):
        client.result("018f")


def test_pages_are_fetched_as_they_are_needed(stub: Stub, client: Client) -> None:
    stub.answer(Told(200, {"items": [1, 2], "next_cursor": "c/+="}), Told(200, {"items": [3], "next_cursor": None}))

    found = client.list(status=["queued", "running"], name=None)

    assert stub.asked == []
    assert next(found) == 1  # type: ignore[comparison-overlap]
    assert len(stub.asked) == 1
    assert list(found) == [2, 3]
    assert stub.asked[1].path == "jobs/?limit=200&status=queued%2Crunning&cursor=c%2F%2B%3D"


ARTEFACT: Any = {"id": "a-1", "name": "../../evil.txt", "sha256": ""}
HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


def test_a_file_is_saved_where_it_belongs_and_not_by_half(stub: Stub, client: Client, tmp_path: Path) -> None:
    stub.answer(AWAY, Told(200, b"hello"))

    saved = client.download("018f", {**ARTEFACT, "sha256": HELLO}, tmp_path)

    assert saved == tmp_path / "evil.txt"
    assert saved.read_bytes() == b"hello"
    with pytest.raises(smartqueue_client.BadDownload):
        client.download("018f", {**ARTEFACT, "sha256": "0"}, tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["evil.txt"]


def test_a_file_that_is_kept_elsewhere_is_fetched_there_without_our_key(
    stub: Stub, client: Client, tmp_path: Path
) -> None:
    stub.answer(Told(302, None, {"Location": f"{stub.url}/bucket/x?signature=y"}), Told(200, b"hello"))

    client.download("018f", {**ARTEFACT, "sha256": HELLO}, tmp_path / "x")

    assert "Authorization" in stub.asked[0].headers
    assert (stub.asked[1].path, "Authorization" in stub.asked[1].headers) == ("/bucket/x?signature=y", False)


def test_more_jobs_than_a_call_may_have_are_several_calls(stub: Stub, client: Client) -> None:
    def answered(count: int) -> Told:
        return Told(200, {"items": [{"index": number, "status": "created"} for number in range(count)]})

    stub.answer(answered(1000), answered(500))

    found = client.submit_many({"type": "python", "payload": {}} for _ in range(1500))

    assert [item["index"] for item in found] == list(range(1500))
    assert [len(asked.body["jobs"]) for asked in stub.asked] == [1000, 500]
    stub.answers[:] = [answered(2), answered(1)]
    big: Any = {"type": "python", "payload": {"x": "y" * 4_000_000}}
    assert len(list(client.submit_many([big, big, big]))) == 3
