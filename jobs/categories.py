"""What the jobs of an organisation may be filed under: its own categories, else the deployment's."""

from django.conf import settings

from orgs.models import Org

# Among the job settings of an organisation.
SETTING = "categories"


def categories_of(org: Org) -> list[str]:
    return list(org.job_settings.get(SETTING) or settings.JOB_CATEGORIES)
