"""The web process: gunicorn smartqueue.wsgi."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smartqueue.settings")
application = get_wsgi_application()
# Django reads the views at the first request; read here they are read once, before gunicorn forks its workers.
get_resolver().url_patterns  # noqa: B018
# What is loaded by now stays: to look through it for garbage would keep everybody waiting for a tenth of a second, time
# and again. Before the fork it also keeps that memory shared.
gc.collect()
gc.freeze()
