"""A PgBouncer before a server of the tests, in one of its modes."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from smartqueue.embedded import DATABASE, ROLE, Server
from smartqueue.pghome import die_with_parent, server_account
from smartqueue.state import secret
from tests.processes import patiently
from tests.scenarios.monitored import free_port

PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
CONF = """\
[databases]
{database} = host={socket_dir} dbname={database}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = {mode}
default_pool_size = {size}
max_client_conn = 200
logfile = {log}
"""


@contextmanager
def pooled(server: Server, folder: Path, *, mode: str, size: int) -> Iterator[str]:
    """The address of the database through it, with at most `size` sessions of the server's behind."""
    assert PROGRAM
    folder.mkdir(mode=0o700)
    users, conf, port = folder / "users.txt", folder / "pgbouncer.ini", free_port()
    password = secret("database_password", server.state)
    users.write_text(f'"{ROLE}" "{password}"\n')
    conf.write_text(
        CONF.format(
            database=DATABASE,
            socket_dir=server.socket_dir,
            port=port,
            users=users,
            mode=mode,
            size=size,
            log=folder / "pgbouncer.log",
        )
    )
    options: dict[str, Any] = {}
    if os.geteuid() == 0:
        # as which it may pass to the server's socket; as root it does not run
        account = server_account()
        for path in (folder, users, conf):
            os.chown(path, account.pw_uid, account.pw_gid)
        options = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    url = f"postgres://{ROLE}:{quote(password, safe='')}@127.0.0.1:{port}/{DATABASE}"
    with subprocess.Popen(
        [PROGRAM, "-q", str(conf)], cwd="/", preexec_fn=die_with_parent(signal.SIGINT), **options
    ) as process:
        try:
            patiently(lambda: answers(url))
            yield url
        finally:
            process.terminate()


def answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True
