"""A cluster of Debian's PostgreSQL, where SmartQueue is the ordinary role that an administrator makes for it."""

import shutil
import subprocess
from pathlib import Path

import psycopg

from smartqueue.embedded import DATABASE, ROLE, EmbeddedError, Server
from smartqueue.state import secret, write_private

MAJOR = "15"
BINARIES = Path(f"/usr/lib/postgresql/{MAJOR}/bin")


class Debian(Server):
    """Run by an account without rights, in a folder and a socket of its own."""

    @property
    def binaries(self) -> Path:  # type: ignore[override]
        return BINARIES

    def create(self) -> None:
        """initdb as Debian's: PostgreSQL 15 has no builtin locale."""
        draft = self.folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        self.private_folder(draft)
        password = self.folder / ".initdb-password"
        write_private(password, secret("database_superuser_password", self.state))
        self.give(password)
        command = [str(self.binaries / "initdb"), "-D", str(draft), "-U", "postgres", f"--pwfile={password}"]
        done = subprocess.run(
            [*command, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"],
            capture_output=True,
            text=True,
            check=False,
            **self.as_account(),
        )
        password.unlink()
        if done.returncode != 0:
            raise EmbeddedError(done.stdout + done.stderr)
        with (draft / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in self.conf.items())
        draft.rename(self.data)

    def check_data(self) -> None:
        assert (self.data / "PG_VERSION").read_text().strip() == MAJOR

    def role_ready(self, *, may_create_databases: bool = False) -> None:
        """The owner of its database and a member of the web's role; no right over others' roles or policies."""
        super().role_ready(may_create_databases=may_create_databases)
        with psycopg.connect(**{**self.superuser(), "dbname": DATABASE}, autocommit=True) as session:
            session.execute(f"ALTER ROLE {ROLE} NOSUPERUSER NOBYPASSRLS NOCREATEROLE".encode())
