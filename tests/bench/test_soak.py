"""docs/hosts.md says of the hour what bench/results/soak.json has; and nothing was lost in it."""

import json

import pytest

from tests.process import ROOT

TEXT = " ".join((ROOT / "docs" / "hosts.md").read_text(encoding="utf-8").split())
FIGURES = json.loads((ROOT / "bench" / "results" / "soak.json").read_text(encoding="utf-8"))["figures"]
BOARD = FIGURES["board"]


@pytest.mark.parametrize(
    "words",
    [
        f"{FIGURES['accepted']:,} submits were acknowledged and {sum(FIGURES['ends'].values()):,} of those jobs",
        f"a submit took {FIGURES['submit_ms']['p50']} ms in the middle and {FIGURES['submit_ms']['p99']} ms at p99",
        f"Each of the {BOARD['with_data_in_every_sample']} queries of the board had data in each of {BOARD['samples']}",
    ],
)
def test_its_figures_are_measured(words: str) -> None:
    assert words in TEXT


def test_nothing_was_lost_or_failed_on_our_side() -> None:
    assert FIGURES["ends"].keys() <= {"done", "failed", "cancelled"}
    assert sum(FIGURES["ends"].values()) == FIGURES["accepted"]
    assert FIGURES["calls_no_web_answered"] == 0
    assert [status for status in FIGURES["answers"] if status.startswith("5")] == []
    assert BOARD["with_data_in_every_sample"] == BOARD["queries"]
    assert BOARD["alerts_firing_in_samples"].keys() == {"SmartQueueDeadLetters"}
    assert BOARD["targets_down_in_samples"] == {}


def test_the_seconds_until_an_alert_are_measured() -> None:
    drill = json.loads((ROOT / "bench" / "results" / "drill.json").read_text(encoding="utf-8"))["figures"]
    web, leader, dog, workers, server, worker = (
        drill["one web"]["SmartQueueWebDown"],
        drill["both schedulers"]["SmartQueueNoLeader"],
        drill["watchdog"]["SmartQueueNoWatchdog"],
        drill["all workers"]["SmartQueueNoWorkers"],
        drill["postgresql"]["SmartQueueWebDown"],
        drill["one worker"]["SmartQueueProcessDown"],
    )
    words = (
        f"a web after {web} s, both schedulers after {leader}, the watchdog after {dog}, all workers after {workers}"
    )
    assert f"{words}, one worker after {worker}, PostgreSQL after {server}." in TEXT
