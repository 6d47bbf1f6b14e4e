"""What each route asks for, by method, read off its view. One that does not say so is found at start.

Views of the API say it by their permission classes and `actions`, pages by the decorators of pages.py, and Django's
admin by its site.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from django.core.checks import Error, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.permissions import AllowAny

from orgs.admin_site import OrgAdminSite, OwnSignIn, PlatformAdminSite
from orgs.permissions import MayAct
from orgs.roles import Gate, Need

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Route(NamedTuple):
    """One path, and what each method that it answers asks for."""

    path: str
    pattern: URLPattern
    needs: dict[str, Need]

    @property
    def is_api(self) -> bool:
        return self.path.startswith("/api/")


class Undeclared(Exception):
    """A view does not say, or not rightly, what it asks for."""


def routes() -> Iterator[Route]:
    """Every route that there is. Raises Undeclared."""
    for path, pattern in leaves(get_resolver().url_patterns):
        try:
            yield Route(path, pattern, needs_of(pattern.callback))
        except Undeclared as error:
            raise Undeclared(f"{path}: {error}") from error


def leaves(patterns: Iterable[URLPattern | URLResolver], prefix: str = "/") -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from leaves(pattern.url_patterns, path)
        else:
            yield path, pattern


def needs_of(view: Any) -> dict[str, Need]:
    """What a view asks for. Raises Undeclared."""
    said: dict[str, Need] | None = getattr(view, "needs", None)
    if said is not None:
        return said
    if getattr(view, "__func__", None) is OwnSignIn.login:
        return dict.fromkeys(("GET", "POST"), Gate.ANYBODY)
    if isinstance(site_of(view), PlatformAdminSite):
        return dict.fromkeys(("GET", "POST"), Gate.PLATFORM_ADMIN)
    if isinstance(site_of(view), OrgAdminSite):
        return dict.fromkeys(("GET", "POST"), Gate.ORG_STAFF)
    if not hasattr(view, "view_class"):
        raise Undeclared("a page is decorated with org_page, signed_in_page, platform_page or open_page")
    return needs_of_class(view.view_class)


def site_of(view: Any) -> Any:
    """The site of the admin whose admin_view() wraps a view; a method that it does not wrap is no such view."""
    owner = getattr(view, "model_admin", getattr(getattr(view, "__wrapped__", None), "__self__", view))
    return getattr(owner, "admin_site", owner)


def needs_of_class(view: Any) -> dict[str, Need]:
    served = {method for method in METHODS if hasattr(view, method.lower())}
    (gate, *others) = view.permission_classes or [None]
    if others or gate is None:
        raise Undeclared(f"{view.__name__} has one permission class, which says what it asks for")
    if issubclass(gate, MayAct):
        actions: dict[str, Need] = dict(getattr(view, "actions", {}))
        if actions.keys() != served:
            raise Undeclared(f"{view.__name__}.actions is of {sorted(actions)}, but it answers {sorted(served)}")
        return actions
    if issubclass(gate, AllowAny):
        if not getattr(view, "public", False):
            raise Undeclared(f"{view.__name__} lets anybody in, but does not say public = True")
        return dict.fromkeys(served, Gate.ANYBODY)
    if not hasattr(gate, "gate"):
        raise Undeclared(f"{view.__name__}: {gate.__name__} does not name its gate")
    return dict.fromkeys(served, gate.gate)


def require_declared() -> None:
    """For processes that run no system checks. Raises ImproperlyConfigured."""
    try:
        list(routes())
    except Undeclared as error:
        raise ImproperlyConfigured(f"A route does not say who may call it. {error}") from error


@register(Tags.urls)
def every_route_declares_its_permission(app_configs: Any, **kwargs: Any) -> list[Error]:
    """So that whatever is started by manage.py does not start with a route that nobody guards."""
    try:
        list(routes())
    except Undeclared as error:
        return [Error(str(error), hint="See orgs/declared.py.", id="orgs.E001")]
    return []
