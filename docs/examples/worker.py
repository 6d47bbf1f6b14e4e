"""A worker of your own in plain Python: python worker.py QUEUE. SMARTQUEUE_URL and SMARTQUEUE_KEY say where and who."""

import json
import os
import socket
import sys
import threading
import urllib.request
from urllib.error import HTTPError

URL, KEY = os.environ["SMARTQUEUE_URL"], os.environ["SMARTQUEUE_KEY"]
NAME = f"{socket.gethostname()}-{os.getpid()}"


def call(path, **body):
    """POST; the answer, or None. A lost lease raises HTTPError with code 409."""
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{URL}/api/v1/worker/{path}/", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=40) as response:
        return json.loads(response.read() or "null")


def keep(lease, over, stop):
    """Renew the lease until the work is over; `stop` is set when it should be."""
    while not over.wait(5):
        try:
            if call(f"{lease}/renewal", lease_seconds=30)["cancel_requested"]:
                stop.set()
        except HTTPError:
            stop.set()
        except OSError as error:
            print("not renewed:", error, file=sys.stderr)


def work(payload, log, stop):
    """Yours: do it, look at stop.is_set() between steps, return the result or raise."""
    log(f"{payload['task']} begins")
    if payload["task"] == "sum":
        return {"sum": sum(payload["input"])}
    raise ValueError(f"I do not know how to {payload['task']}")


def run(job):
    lease, over, stop = f"leases/{job['lease']}", threading.Event(), threading.Event()
    threading.Thread(target=keep, args=(lease, over, stop), daemon=True).start()
    try:
        result = work(job["payload"], lambda text: call(f"{lease}/log", lines=[{"text": text}]), stop)
        call(f"{lease}/release") if stop.is_set() else call(f"{lease}/finish", result=result)
    except OSError as error:
        print("not told:", error, file=sys.stderr)  # the lease will end, and the job be tried again
    except Exception as error:
        call(f"{lease}/failure", error_type=type(error).__name__, error=str(error))
    over.set()


while True:
    answer = call("claims", worker=NAME, queues=[sys.argv[1]], wait_seconds=20, lease_seconds=30)
    for job in answer["jobs"] if answer else []:
        run(job)
    threading.Event().wait(0 if answer else 1)
