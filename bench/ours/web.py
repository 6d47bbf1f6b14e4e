"""The web as it is deployed, and somebody who may submit to it."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import urllib3

from bench import workers
from bench.ours.stage import Stage
from orgs.models import Membership, Org, User
from orgs.roles import Role
from orgs.tokens import give_tokens
from smartqueue import programs

START_SECONDS = 60.0


@contextmanager
def serving(stage: Stage, **settings: str) -> Iterator[str]:
    """The address of a gunicorn with two workers that is ready."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        environ = programs.environment(stage.state_folder, listener) | settings
        web = workers.start(programs.web_command(listener), environ, stage.log, listener.fileno())
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            wait_ready(address)
            yield address
        finally:
            workers.stop([web])


def wait_ready(address: str) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            if urllib3.request("GET", f"{address}/readyz", retries=False, timeout=5).status == 200:
                return
        except urllib3.exceptions.HTTPError:
            pass
        time.sleep(0.1)
    raise TimeoutError("the web did not become ready")


def access_token(slug: str = "bench") -> str:
    """Of a person who may submit in the measured organisation, or in another one."""
    org, _ = Org.objects.get_or_create(slug=slug, defaults={"name": slug.title()})
    user = User.objects.create_user(slug, password=None)
    Membership.objects.create(org=org, user=user, role=Role.OPERATOR)
    User.objects.filter(pk=user.pk).update(active_org=org)
    return str(give_tokens(user).access_token)
