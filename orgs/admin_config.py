"""Names our admin site. Apart from it, because this is read before any model is."""

from django.contrib.admin.apps import AdminConfig


class PlatformAdminConfig(AdminConfig):
    default_site = "orgs.admin_site.PlatformAdminSite"
