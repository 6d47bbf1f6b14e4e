"""Jobs by the million."""

from bench import cluster
from bench.fill import fill
from bench.ours.stage import QUEUE, Stage


def stock(stage: Stage, waiting: int, finished: int = 0) -> None:
    """Jobs in the queue that is measured; then all is quiet."""
    fill(waiting=waiting, finished=finished, queue=QUEUE)
    cluster.execute("VACUUM (ANALYZE)", database=stage.database)
    cluster.execute("CHECKPOINT")
