"""sq as it is run: real processes, on a real web with a worker, with pipes and on a terminal."""

import json
import re
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
import urllib3

from jobs.ids import uuid7
from jobs.models import Job
from orgs.models import Org
from orgs.roles import Role
from orgs.tokens import give_tokens
from tests.analytics.rows import make_process
from tests.factories import PASSWORD, make_dead_letter, make_job, make_member, make_org
from tests.processes import Fleet, patiently
from tests.scenarios.terminal import SQ, Person, Terminal

pytestmark = pytest.mark.django_db(transaction=True)

ADD = json.dumps({"task": "demo.add", "kwargs": {"a": 1, "b": 2}})


def fails(message: str) -> str:
    return json.dumps({"task": "tests.fail_with", "kwargs": {"message": message}})


class House:
    """A web, and people of an organisation."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.org: Org = make_org("acme")
        self.admin = make_member(self.org, Role.ORG_ADMIN, "ada")
        # no more waits than this: the others are told to come again
        self.url = fleet.web(threads=8)
        pool = urllib3.PoolManager(retries=False, timeout=60)

        def ready() -> bool:
            try:
                return pool.request("GET", f"{self.url}/healthz").status == 200
            except urllib3.exceptions.HTTPError:
                return False

        patiently(ready)

    def person(self, home: Path) -> Person:
        """Ada, signed in by her token."""
        return Person(home, self.url, SMARTQUEUE_TOKEN=str(give_tokens(self.admin).access_token))

    def works(self) -> None:
        self.fleet.workers(1, "--queues", "*")
        self.fleet.scheduler()


@pytest.fixture
def house(fleet: Fleet) -> House:
    return House(fleet)


@pytest.fixture
def ada(house: House, tmp_path: Path) -> Person:
    return house.person(tmp_path)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


# --- The tour -------------------------------------------------------------------------------------------------------


def test_a_stranger_submits_waits_pages_and_replays(house: House, tmp_path: Path) -> None:
    house.works()
    ada = Person(tmp_path, house.url)
    assert "ada in acme" in ada.good("login", "--username", "ada", input=PASSWORD + "\n").err

    done = ada.good("submit", "python", ADD, "--wait", "--name", "sum").document
    assert (done["status"], done["result"], done["name"]) == ("done", 3, "sum")
    assert ada.good("get", done["id"], "--result").document == 3
    assert ada.good("submit", "python", "-", "--wait", input=ADD).document["result"] == 3
    (tmp_path / "payload.json").write_text(ADD)
    assert ada.good("submit", "python", f"@{tmp_path}/payload.json").document["type"] == "python"

    failed = ada.sq("submit", "python", fails("no \x1b[31mink"), "--wait", "--max-attempts", "1", "--queue", "reports")
    assert (failed.code, failed.document["status"]) == (1, "failed")
    assert "the job is failed: " in failed.err
    assert "\x1b" not in failed.err

    lines = "".join(
        json.dumps({"type": "python", "payload": json.loads(ADD), "queue": "many"}) + "\n" for _ in range(450)
    )
    many = ada.good("submit", "--many", "-", input=lines)
    assert "450 stored, 0 refused" in many.err
    assert [item["index"] for item in many.documents] == list(range(450))
    listed = ada.good("list", "--queue", "many", "--all").documents
    assert sorted(job["id"] for job in listed) == sorted(item["id"] for item in many.documents)
    assert len(ada.good("list", "--queue", "many", "--limit", "7").documents) == 7

    assert ada.good("list", "--dead", "--queue", "reports").document["id"] == failed.document["id"]
    assert ada.good("replay", "--all", "--queue", "reports", "--dry-run").document == {"matching": 1, "more": False}
    assert ada.good("replay", "--all", "--queue", "reports").document == {"replayed": 1}
    again = ada.sq("get", failed.document["id"], "--wait", "60")
    assert (again.code, again.document["life"]) == (1, 2)
    assert ada.good("replay", failed.document["id"], "--payload", ADD).document["life"] == 3
    assert ada.good("get", failed.document["id"], "--wait", "60").document["result"] == 3


def test_logs_are_followed_to_the_end_and_files_are_saved(house: House, ada: Person, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    payload = {"task": "tests.chatty_until_file", "kwargs": {"path": str(gate)}}
    job = make_job(house.org, payload=payload)
    following = subprocess.Popen(
        [*SQ, "logs", str(job.pk), "-f"], env=ada.environ, stdout=subprocess.PIPE, text=True, stderr=subprocess.STDOUT
    )
    house.works()
    assert following.stdout is not None
    first = json.loads(following.stdout.readline())
    assert (first["attempt"], first["text"]) == (1, "before")

    gate.touch()

    out, _ = following.communicate(timeout=120)
    assert following.returncode == 0, out
    assert [json.loads(line)["text"] for line in out.splitlines()] == ["after"]
    assert [line["text"] for line in ada.good("logs", str(job.pk)).documents] == ["before", "after"]

    etl = {"source": {"rows": [{"n": 3}]}, "steps": [], "sink": {"artefact": "rows.csv"}}
    made = ada.good("submit", "etl", json.dumps(etl), "--wait").document
    (tmp_path / "files").mkdir()
    ada.good("artefacts", made["id"], "--save", str(tmp_path / "files"))
    assert (tmp_path / "files" / "rows.csv").read_text().split() == ["n", "3"]


def test_waiting_jobs_are_cancelled_and_queues_paused(house: House, ada: Person) -> None:
    first, second = make_job(house.org), make_job(house.org)

    assert ada.good("queues", "pause", "default", "--reason", "Paper").document["pause_reason"] == "Paper"
    ran = ada.sq("cancel", str(first.pk), "none", str(second.pk), "--reason", "Twice")
    assert (ran.code, [one["became"] for one in ran.documents]) == (3, ["cancelled", "cancelled"])
    assert "none: " in ran.err
    assert ada.good("queues", "resume", "default").document["paused"] is False
    assert [queue["name"] for queue in ada.good("queues").documents] == ["default"]
    assert ada.good("top", "--once").document["counts"]["by_status"]["cancelled"] == 2


def test_kinds_and_the_organisation_are_paused_and_go_on(house: House, ada: Person) -> None:
    paused = ada.good("kinds", "pause", "python", "nightly-sum", "--reason", "Wrong", "--for", "3600").document
    everything = ada.good("kinds", "pause", "--all").document

    assert (paused["type"], paused["name"], paused["reason"]) == ("python", "nightly-sum", "Wrong")
    assert paused["resume_at"] > paused["paused_at"]
    assert (everything["type"], everything["name"]) == ("", "")
    assert sorted(one["type"] for one in ada.good("kinds").documents) == ["", "python"]
    other = ada.sq("kinds", "resume", "python")
    assert (other.code, "not paused" in other.err) == (3, True)
    assert ada.good("kinds", "resume", "--all").document["id"] == everything["id"]
    assert ada.good("kinds", "resume", "python", "nightly-sum").document["id"] == paused["id"]
    assert ada.good("kinds").out == ""


def test_workers_are_listed_and_told_by_id_or_name(house: House, ada: Person) -> None:
    mine = make_process(id=uuid7(), org_id=house.org.pk, hostname="resizer")
    twins = [make_process(id=uuid7(), org_id=house.org.pk, hostname="twin") for _ in range(2)]
    shared = make_process(id=uuid7())

    quiet = ada.good("workers", "quiet", "resizer", "--reason", "disk").document
    assert (quiet["id"], quiet["command"], quiet["obeyed_at"]) == (str(mine.pk), "quiet", None)
    assert ada.good("workers", "resume", str(mine.pk)).document["command"] != "quiet"
    told = ada.sq("workers", "stop", "twin", str(shared.pk), "nobody", str(twins[0].pk))
    assert (told.code, [one["id"] for one in told.documents]) == (3, [str(twins[0].pk)])
    assert re.search(r"twin: 2 workers have this name", told.err)
    assert re.search(rf"{shared.pk}: ", told.err)
    assert re.search(r"nobody: ", told.err)
    listed = {one["id"]: one["command"] for one in ada.good("workers").documents}
    assert (listed[str(twins[0].pk)], listed[str(twins[1].pk)]) == ("stop", "")


# --- What goes wrong ------------------------------------------------------------------------------------------------


def test_every_failure_is_one_line_and_a_code(house: House, ada: Person, tmp_path: Path) -> None:
    job = make_job(house.org)
    viewer = Person(
        tmp_path, house.url, SMARTQUEUE_TOKEN=str(give_tokens(make_member(house.org, Role.VIEWER)).access_token)
    )
    nobody, gone = Person(tmp_path / "nobody", house.url), Person(tmp_path, "http://127.0.0.1:9", SMARTQUEUE_KEY="k")
    cases: list[tuple[Person, list[str], int, str]] = [
        (ada, [], 2, "required: command"),
        (ada, ["sumbit"], 2, "invalid choice"),
        (ada, ["submit"], 2, "give a type"),
        (ada, ["submit", "python", "{"], 2, "no JSON"),
        (ada, ["submit", "python", "[]"], 2, "not a JSON object"),
        (ada, ["submit", "python", "@/nowhere"], 2, "No such file"),
        (ada, ["submit", "--many", "/nowhere"], 2, "No such file"),
        (ada, ["submit", "python", "{}"], 3, "/payload"),
        (ada, ["submit", "pyhton", "{}"], 3, "no job type"),
        (ada, ["list", "--status", "asleep"], 3, "/status"),
        (ada, ["list", "--dead", "--status", "failed"], 2, "does not go with --dead"),
        (ada, ["get", "none"], 3, "no such job"),
        (ada, ["get", "../queues"], 3, "othing here"),
        (ada, ["get", str(job.pk), "--wait", "0"], 4, "still queued"),
        (ada, ["get", str(job.pk), "--result"], 1, "is queued"),
        (ada, ["replay", str(job.pk)], 3, "queued"),
        (ada, ["replay"], 2, "give ids"),
        (ada, ["queues", "pause"], 2, "which queue"),
        (ada, ["kinds", "pause"], 2, "which kind"),
        (ada, ["kinds", "pause", "pyhton"], 3, "/type"),
        (ada, ["workers", "stop"], 2, "which worker"),
        (ada, ["queues", "--org", "rival"], 3, "another organisation"),
        (viewer, ["cancel", str(job.pk)], 3, "viewer"),
        (nobody, ["list"], 2, "sq login"),
        (nobody, ["list", "--url", "queue.example.org"], 2, "sq login"),
        (Person(tmp_path, "queue.example.org", SMARTQUEUE_KEY="k"), ["list"], 2, "no address"),
        (Person(tmp_path, house.url, SMARTQUEUE_KEY="sq_live_0_0"), ["list"], 3, "not valid"),
    ]  # fmt: skip

    for person, words, code, said in cases:
        ran = person.sq(*words)
        assert (ran.code, ran.out) == (code, ""), (words, ran)
        assert said in ran.err, (words, ran)
        assert ran.err.splitlines()[-1].startswith("sq"), ran
    for words in (["login", "--username", "ada"], ["login"], ["login", "--key"]):
        assert nobody.sq(*words, input="wrong password\n" if "--username" in words else "").code in (2, 3)
    assert not (tmp_path / "nobody").exists()
    began = time.monotonic()
    assert gone.sq("cancel", "x").code == 4
    # a refused connection is tried again, but not for ever
    assert time.monotonic() - began < 90
    job.refresh_from_db()
    assert job.status == "queued"


def test_who_reads_no_more_is_no_error_and_interrupted_is_130(house: House, ada: Person) -> None:
    for _ in range(30):
        make_job(house.org, payload={"task": "demo.add", "kwargs": {"a": 1, "b": 2}}, title="x" * 200)
    shell = f"{' '.join(SQ)} list --all | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", shell], env=ada.environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] in ("0", "141")

    job = Job.objects.first()
    assert job is not None
    waiting = subprocess.Popen([*SQ, "get", str(job.pk), "--wait"], env=ada.environ, stderr=subprocess.PIPE, text=True)
    patiently(lambda: psutil.Process(waiting.pid).net_connections())
    waiting.send_signal(signal.SIGINT)
    assert (waiting.wait(60), waiting.communicate()[1]) == (130, "")


# --- Who calls ------------------------------------------------------------------------------------------------------


def test_what_login_keeps_is_the_owners_alone_and_goes_to_one_address(house: House, tmp_path: Path) -> None:
    ada = Person(tmp_path, house.url)
    ada.good("login", "--username", "ada", input=PASSWORD)
    path = tmp_path / ".config" / "smartqueue" / "config.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert PASSWORD not in path.read_text()
    ada.environ.pop("SMARTQUEUE_URL")
    assert ada.good("queues").code == 0

    elsewhere = ada.sq("queues", "--url", house.url.replace("127.0.0.1", "localhost"))
    assert (elsewhere.code, "sq login" in elsewhere.err) == (2, True)

    path.chmod(0o644)
    refused = ada.sq("queues")
    assert (refused.code, "chmod 600" in refused.err) == (2, True)
    path.chmod(0o600)

    kept = json.loads(path.read_text())
    ada.good("logout")
    assert not path.exists()
    answer = urllib3.request("POST", f"{house.url}/api/v1/auth/refresh/", json={"refresh": kept["refresh"]})
    assert answer.status == 401


def test_many_at_once_renew_a_session_once(house: House, tmp_path: Path) -> None:
    ada = Person(tmp_path, house.url)
    ada.good("login", "--username", "ada", input=PASSWORD)
    path = tmp_path / ".config" / "smartqueue" / "config.json"

    for _ in range(2):
        # as if it had run out
        path.write_text(json.dumps({**json.loads(path.read_text()), "access": "x"}))
        with ThreadPoolExecutor(6) as pool:
            ran = list(pool.map(lambda _: ada.sq("queues"), range(6)))
        # a refresh token that came twice would have ended the session
        assert [one.code for one in ran] == [0] * 6, ran


# --- On a terminal --------------------------------------------------------------------------------------------------


def test_a_terminal_is_shown_tables_in_which_nothing_acts(house: House, ada: Person, terminals: list[Terminal]) -> None:
    make_dead_letter(house.org, title="evil \x1b]0;owned\x07 \u202etxt", name="sum")

    def shown(*words: str, **environ: str) -> str:
        terminals.append(ada.at_a_terminal(*words, **environ))
        assert terminals[-1].ended() == 0
        return terminals[-1].text

    table = shown("list")
    assert re.search(r"ID +STATUS +TYPE +NAME", table)
    assert "\x1b[31mfailed\x1b[0m" in table
    assert "evil " in table
    for text in (table, shown("list", "--json"), shown("get", str(Job.objects.get().pk))):
        assert not {"\x07", "\u202e"} & set(text)
        assert "\x1b]" not in text
    assert "\x1b" not in shown("list", NO_COLOR="1")
    assert "\x1b" not in shown("list", TERM="dumb")
    assert json.loads(shown("list", "--json"))["status"] == "failed"
    assert "default" in shown("top", "--once")
    narrow: Any = shown("queues")
    assert "QUEUE" in narrow


@pytest.mark.parametrize("way", ["q", "\x03", "TERM"])
def test_top_is_refreshed_and_leaves_the_terminal_as_it_was(
    house: House, ada: Person, terminals: list[Terminal], way: str
) -> None:
    make_job(house.org, queue="first")
    top = ada.at_a_terminal("top", "--every", "0.5")
    terminals.append(top)
    top.until("first")
    assert "dead letters 0" in top.text
    assert not top.is_as_it_was()

    make_job(house.org, queue="second")
    top.until("second")

    if way == "TERM":
        top.send(signal.SIGTERM)
    else:
        top.type(way)
    assert top.ended() == (130 if way == "\x03" else 0)
    assert top.is_as_it_was()


def test_top_tells_of_a_server_that_is_away_and_goes_on(house: House, ada: Person, terminals: list[Terminal]) -> None:
    make_job(house.org, queue="first")
    top = ada.at_a_terminal("top", "--every", "0.5")
    terminals.append(top)
    top.until("first")

    house.fleet.processes[0].close()

    top.until("does not answer")
    top.type("q")
    assert top.ended() == 0
    assert top.is_as_it_was()


def test_a_replay_of_all_asks_first(house: House, ada: Person, terminals: list[Terminal]) -> None:
    make_dead_letter(house.org)
    asking = ada.at_a_terminal("replay", "--all")
    terminals.append(asking)
    asking.until("1 dead letters match. Send them back? [y/N]")
    asking.type("n\n")
    assert asking.ended() == 2
    assert Job.objects.get().status == "failed"

    asking = ada.at_a_terminal("replay", "--all")
    terminals.append(asking)
    asking.until("[y/N]")
    asking.type("y\n")
    assert asking.ended() == 0
    assert Job.objects.get().status == "queued"


def test_a_password_is_not_shown(house: House, tmp_path: Path, terminals: list[Terminal]) -> None:
    login = Person(tmp_path, house.url).at_a_terminal("login")
    terminals.append(login)
    login.until("Username: ")
    login.type("ada\n")
    login.until("Password: ")
    login.type(PASSWORD + "\n")
    assert login.ended() == 0
    assert "Signed in to" in login.text
    assert PASSWORD not in login.text
