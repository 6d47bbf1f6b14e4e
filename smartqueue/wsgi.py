"""The web process: gunicorn smartqueue.wsgi."""

import gc
import os
import sys

from django.core.wsgi import get_wsgi_application

# A call that thousands of jobs came with computes for a second. Another thread of the process asks the interpreter for
# a turn after each question to the database, and by default waits 5 ms for it, each time. docs/decisions/0017.
SWITCH_SECONDS = 0.0002
sys.setswitchinterval(SWITCH_SECONDS)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smartqueue.settings")
application = get_wsgi_application()

from orgs.declared import require_declared  # noqa: E402 (it reads models)

# Django reads the views at the first request; read here they are read once, before gunicorn forks its workers, which
# do not start when one does not say who may call it.
require_declared()
# What is loaded by now stays: to look through it for garbage would keep everybody waiting for a tenth of a second, time
# and again. Before the fork it also keeps that memory shared.
gc.collect()
gc.freeze()
