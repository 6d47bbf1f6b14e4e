"""The second wall, asked from inside: what a request that forgets its organisation finds."""

import json

import pytest
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.test import Client
from django.urls import path

from jobs.models import Job
from orgs import walls
from tests.conftest import World
from tests.factories import make_job


def test_x(world: World) -> None:
    make_job(world.org)
    make_job(world.rival)
    assert Job.objects.count() == 2
    with walls.raised():
        assert Job.objects.count() == 0
        walls.enter(world.org.pk)
        assert Job.objects.count() == 1
        with walls.across(walls.Across.CALLER):
            assert Job.objects.count() == 2
        assert Job.objects.count() == 1
    assert Job.objects.count() == 2
