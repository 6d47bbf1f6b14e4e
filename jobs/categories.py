"""What the jobs of an organisation may be filed under: its own categories, else the deployment's."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from orgs.models import Org

# Among the job settings of an organisation.
SETTING = "categories"


def categories_of(org: Org) -> list[str]:
    return categories_in(org.job_settings)


def categories_in(job_settings: Mapping[str, Any]) -> list[str]:
    """By what handlers are told of the organisation."""
    return list(job_settings.get(SETTING) or settings.JOB_CATEGORIES)
