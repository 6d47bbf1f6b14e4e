"""Which deployment this is, for every page."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def template_context(request: HttpRequest) -> dict[str, Any]:
    return {"environment": {"name": settings.ENVIRONMENT, "colour": settings.ENVIRONMENT_COLOUR}}
