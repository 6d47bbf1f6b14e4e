"""A deployment that is not safe does not start."""

import os
import subprocess
import sys

import pytest

GOOD = "x" * 32


def start(**environ: str) -> subprocess.CompletedProcess[str]:
    base = {name: os.environ[name] for name in ("PATH", "DATABASE_URL", "SMARTQUEUE_STATE_DIR")}
    command = [sys.executable, "-c", "import django; django.setup()"]
    env = {**base, "DJANGO_SETTINGS_MODULE": "smartqueue.settings", **environ}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("missing", ["SECRET_KEY", "JWT_SIGNING_KEY"])
def test_production_needs_secrets_of_its_own(missing: str) -> None:
    done = start(**{"SECRET_KEY": GOOD, "JWT_SIGNING_KEY": GOOD, missing: "changeme"})

    assert done.returncode != 0
    assert f"{missing} must be set to at least 32 random characters" in done.stderr


def test_production_starts_with_them() -> None:
    assert start(SECRET_KEY=GOOD, JWT_SIGNING_KEY=GOOD).returncode == 0


def test_a_wrong_setting_is_named() -> None:
    done = start(SECRET_KEY=GOOD, JWT_SIGNING_KEY=GOOD, SMARTQUEUE_LEASE_SECONDS="soon")

    assert "SMARTQUEUE_LEASE_SECONDS='soon': expected a number" in done.stderr
