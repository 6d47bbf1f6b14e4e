"""What an organisation lets its jobs do: set by its admins, audited in the transaction that sets it."""

from collections.abc import Sequence

from django.http import HttpRequest

from jobs.errors import InvalidJob
from jobs.handlers.addresses import pattern_fault, plain
from jobs.queue.brief import brief
from orgs import audit
from orgs.models import Org
from orgs.roles import Action
from orgs.scope import Scope

HOST_LISTS = ("http_allow_hosts", "http_deny_hosts")
MOST_HOSTS = 200


def shown(org: Org) -> dict[str, list[str]]:
    return {name: list(org.job_settings.get(name) or []) for name in HOST_LISTS}


def change(*, scope: Scope, request: HttpRequest | None = None, **lists: Sequence[str]) -> dict[str, list[str]]:
    """Set some of HOST_LISTS; returns all of them. Raises InvalidJob, naming the entries that are none."""
    scope.require(Action.MANAGE_ORG)
    if found := [fault for name, hosts in lists.items() for fault in faults(name, hosts)]:
        raise InvalidJob(found)
    with brief():
        org = Org.objects.select_for_update(no_key=True).get(pk=scope.org.pk)
        old = shown(org)
        new = old | {name: sorted({kept(host) for host in hosts}) for name, hosts in lists.items()}
        if new != old:
            org.job_settings = {**org.job_settings, **new}
            org.save(update_fields=["job_settings"])
            audit.record(
                "org.job_settings", org=org, actor=scope.user, target=org.slug, request=request, old=old, new=new
            )
    return new


def kept(host: str) -> str:
    return f"*.{plain(host[2:])}" if host.startswith("*.") else plain(host)


def faults(name: str, hosts: Sequence[str]) -> list[tuple[str, str]]:
    if len(hosts) > MOST_HOSTS:
        return [(f"/{name}", f"At most {MOST_HOSTS} hosts.")]
    return [(f"/{name}/{place}", text) for place, host in enumerate(hosts) if (text := pattern_fault(host))]
