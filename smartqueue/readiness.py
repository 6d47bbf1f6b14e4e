"""What `make up` asks the database and the web before it says that all is up. Without Django, as it is."""

import hashlib
import http.client
import time

import psycopg
from psycopg import sql

from jobs.durability import ASKED, NotDurable, off
from smartqueue import database, programs
from smartqueue.supervisor import Child

DATABASE_WITHIN_SECONDS = 10.0


class NotReady(RuntimeError):
    """What is needed did not come in time; the message says what."""


def wait_for_database(url: str) -> None:
    deadline = time.monotonic() + DATABASE_WITHIN_SECONDS
    while True:
        try:
            with psycopg.connect(url, connect_timeout=3) as connection:
                row = connection.execute(f"SELECT {ASKED}").fetchone()
            if names := off(list(row or ())):
                raise NotReady(str(NotDurable(names)))
            return
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise NotReady(f"the server of DATABASE_URL does not answer: {error}") from error
            time.sleep(0.3)


def schema_mark() -> str:
    """Changes when any migration does: ours by their files, those of libraries by the lock file."""
    digest = hashlib.sha256((programs.BASE_DIR / "requirements.txt").read_bytes())
    for path in sorted(programs.BASE_DIR.glob("*/migrations/*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return f"smartqueue {digest.hexdigest()}"


def found_mark(connection: psycopg.Connection) -> str | None:
    """What the database says of itself: it is written beside the list of its migrations, and goes with it."""
    row = connection.execute("SELECT obj_description(to_regclass('django_migrations'))").fetchone()
    return row[0] if row else None


def write_mark(connection: psycopg.Connection, mark: str) -> None:
    connection.execute(sql.SQL("COMMENT ON TABLE django_migrations IS {}").format(sql.Literal(mark)))


def demo_people(connection: psycopg.Connection) -> int:
    """How many people the demo was made with; 0 when there is none."""
    row = connection.execute(
        "SELECT jsonb_array_length(detail -> 'people') FROM orgs_auditentry WHERE action = 'demo.seed'"
        " ORDER BY id LIMIT 1"
    ).fetchone()
    return int(row[0]) if row else 0


def readiness(where: tuple[str, int]) -> tuple[int, str]:
    """Status and body of /readyz; 0 and the trouble where nobody answers."""
    connection = http.client.HTTPConnection(*where, timeout=5)
    try:
        connection.request("GET", "/readyz", headers={"Host": "localhost"})
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()


def heartbeat_seen(worker: Child) -> bool:
    if not worker.process:
        return False
    try:
        with psycopg.connect(database.database_url(), connect_timeout=3) as connection:
            return bool(
                connection.execute(
                    "SELECT 1 FROM jobs_workerprocess WHERE kind = 'worker' AND status = 'online' AND pid = %s"
                    " AND beat_at > clock_timestamp() - interval '15 seconds'",
                    [worker.process.pid],
                ).fetchone()
            )
    except psycopg.Error:
        return False
