"""A deployment that is not safe does not start."""

import os
import subprocess
import sys
from secrets import token_hex

import pytest

from tests.process import ROOT

GOOD = "x" * 32


def start(**environ: str) -> subprocess.CompletedProcess[str]:
    base = {name: os.environ[name] for name in ("PATH", "DATABASE_URL", "SMARTQUEUE_STATE_DIR")}
    command = [sys.executable, "-c", "import django; django.setup()"]
    env = {**base, "DJANGO_SETTINGS_MODULE": "smartqueue.settings", **environ}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


SECRETS = {"SECRET_KEY": GOOD, "JWT_SIGNING_KEY": "y" * 32, "ENCRYPTION_KEYS": f"k1:{GOOD}"}


@pytest.mark.parametrize("missing", ["SECRET_KEY", "JWT_SIGNING_KEY"])
def test_production_needs_secrets_of_its_own(missing: str) -> None:
    done = start(**{**SECRETS, missing: "changeme"})

    assert done.returncode != 0
    assert f"{missing} must be set to at least 32 random characters" in done.stderr


def test_tokens_are_not_signed_with_the_key_of_everything_else() -> None:
    done = start(**{**SECRETS, "JWT_SIGNING_KEY": SECRETS["SECRET_KEY"]})

    assert done.returncode != 0
    assert "JWT_SIGNING_KEY must differ from SECRET_KEY" in done.stderr


def test_production_starts_with_them() -> None:
    assert start(**SECRETS).returncode == 0


def test_a_wrong_setting_is_named() -> None:
    done = start(**SECRETS, SMARTQUEUE_LEASE_SECONDS="soon")

    assert "SMARTQUEUE_LEASE_SECONDS='soon': expected a number" in done.stderr


@pytest.mark.parametrize("keys", ["", "short:abc", GOOD, f"bad id:{GOOD}", f"k1:{GOOD},k1:{GOOD}"])
def test_production_needs_keys_with_names_for_what_it_encrypts(keys: str) -> None:
    done = start(**{**SECRETS, "ENCRYPTION_KEYS": keys})

    assert done.returncode != 0
    assert "ENCRYPTION_KEYS" in done.stderr
    assert GOOD not in done.stderr


def test_a_mail_server_needs_an_address_to_send_from() -> None:
    done = start(**SECRETS, SMARTQUEUE_EMAIL_URL="smtps://acme:hunter2@mx.example")

    assert done.returncode != 0
    assert "SMARTQUEUE_EMAIL_FROM must be set" in done.stderr
    assert "hunter2" not in done.stderr


def test_a_deployment_as_the_docs_have_it_passes_djangos_checks_of_deployments() -> None:
    base = {name: os.environ[name] for name in ("PATH", "DATABASE_URL", "SMARTQUEUE_STATE_DIR")}
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    # TLS ends before us, which is the deployment's to say
    secrets = {**SECRETS, "SECRET_KEY": token_hex(32)}
    environs = [{**base, **secrets, "SMARTQUEUE_HTTPS": https} for https in ("1", "0")]
    safe, plain = (
        subprocess.run(command, env=e, cwd=ROOT, capture_output=True, text=True, check=False) for e in environs
    )

    assert (safe.returncode, safe.stdout) == (0, "System check identified no issues (0 silenced).\n"), safe.stderr
    assert plain.returncode == 1
    assert "SESSION_COOKIE_SECURE" in plain.stderr
