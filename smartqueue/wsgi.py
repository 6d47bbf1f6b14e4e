"""The web process: gunicorn smartqueue.wsgi."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smartqueue.settings")
application = get_wsgi_application()
# Django reads the views at the first request; read here they are read once, before gunicorn forks its workers.
get_resolver().url_patterns  # noqa: B018
