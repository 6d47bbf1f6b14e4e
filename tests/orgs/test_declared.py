"""A route that does not say who may call it is found at start."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from pytest_django.fixtures import Settings
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orgs.admin_site import PlatformAdminSite
from orgs.declared import METHODS, require_declared, routes
from orgs.pages import open_page, org_page, signed_in_page
from orgs.permissions import IsSignedIn, MayAct
from orgs.roles import Action, Gate

site = PlatformAdminSite()


class Plain(APIView):
    """With the default permission, and nothing said."""

    def get(self, request: Request) -> Response:
        return Response()


class HalfSaid(Plain):
    actions = {"GET": Action.READ}

    def delete(self, request: Request) -> Response:
        return Response()


class SaysTooMuch(Plain):
    actions = {"GET": Action.READ, "POST": Action.SUBMIT}


class Open(Plain):
    permission_classes = [AllowAny]


class Unguarded(Plain):
    permission_classes = []


class Two(Plain):
    permission_classes = [IsSignedIn, MayAct]
    actions = {"GET": Action.READ}


class Unnamed(Plain):
    permission_classes = [BasePermission]


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


UNDECLARED: dict[str, Any] = {
    "a page": page,
    "a view without actions": Plain.as_view(),
    "a method without an action": HalfSaid.as_view(),
    "an action without a method": SaysTooMuch.as_view(),
    "a view for anybody that does not say so": Open.as_view(),
    "a view without a permission": Unguarded.as_view(),
    "two permissions": Two.as_view(),
    "a permission that names no gate": Unnamed.as_view(),
    "a view of the admin that its site does not wrap": site.index,
}


class Urls:
    """Stands for a module of paths."""

    def __init__(self, view: Callable[..., Any]) -> None:
        self.urlpatterns = [path("deep/", include([path("odd/", view)]))]


@pytest.mark.parametrize("name", UNDECLARED)
def test_nothing_starts_with_a_route_that_nobody_guards(settings: Settings, name: str) -> None:
    settings.ROOT_URLCONF = Urls(UNDECLARED[name])

    (error,) = [one for one in run_checks() if one.id == "orgs.E001"]
    assert error.is_serious()
    assert "/deep/odd/" in error.msg
    with pytest.raises(ImproperlyConfigured, match="/deep/odd/"):
        require_declared()


def test_all_of_ours_say_it() -> None:
    require_declared()

    assert [error for error in run_checks() if error.id == "orgs.E001"] == []
    assert all(route.needs and route.needs.keys() <= set(METHODS) for route in routes())


def test_pages_say_it_by_their_decorators(settings: Settings) -> None:
    said = {
        org_page(Action.PAUSE, ("POST",)): {"POST": Action.PAUSE},
        org_page({"GET": Action.READ, "POST": Action.SUBMIT}): {"GET": Action.READ, "POST": Action.SUBMIT},
        signed_in_page(("GET", "POST")): {"GET": Gate.PERSON, "POST": Gate.PERSON},
        open_page(): {"GET": Gate.ANYBODY},
        open_page(gate=Gate.OPERATIONS): {"GET": Gate.OPERATIONS},
    }
    for decorator, needs in said.items():
        settings.ROOT_URLCONF = Urls(decorator(page))  # type: ignore[operator]
        (route,) = routes()
        assert route.needs == needs
