"""The web process: gunicorn smartqueue.wsgi."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smartqueue.settings")
application = get_wsgi_application()
