"""After an outage all that failed is due at once."""

import time
from typing import Any

from bench import cluster, sizes
from bench.fill import clone, ran
from bench.ours import web
from bench.ours.stage import QUEUE, Stage
from bench.ours.stream import Stream, summary

ABOUT = "so many retries are due at once: how long until all are queued, and what a submit takes meanwhile"
SIZES = ("RETRIES_DUE", "RETRIES_RATE")
SCHEDULED = "SELECT count(*) FROM jobs_job WHERE status = 'scheduled'"
DUE_LATER = "SELECT count(*) FROM jobs_job WHERE status = 'scheduled' AND run_at > clock_timestamp()"


def measure(stage: Stage) -> dict[str, Any]:
    stage.fresh()
    # no leader runs yet: they stay scheduled
    clone(ran("bench.fail"), sizes.RETRIES_DUE - 1, QUEUE)
    cluster.execute("VACUUM (ANALYZE)", database=stage.database)
    cluster.execute("CHECKPOINT")
    stage.wait_until(DUE_LATER, 0, "the retries to be due")
    with web.serving(stage) as address, Stream(address, web.access_token(), sizes.RETRIES_RATE) as stream:
        time.sleep(2.0)
        with stage.manage("runscheduler"):
            stage.wait_until("SELECT count(*) FROM jobs_leaderterm", 1, "a leader")
            elected = time.monotonic()
            promoted = stage.wait_until(SCHEDULED, 0, "all retries to be queued")
        stream.sent_all_due(promoted)
    meanwhile = [each for each in stream.answers if elected - 0.5 <= each.due <= promoted]
    queued = stage.number("SELECT count(*) FROM jobs_transition WHERE from_status = 'scheduled'")
    if queued != sizes.RETRIES_DUE:
        raise AssertionError(f"{queued} moves to queued for {sizes.RETRIES_DUE} retries")
    return {"seconds": promoted - elected, **summary(meanwhile)}
