"""Each alert fires after its time when it should, and not before, nor otherwise; and each has a runbook that helps."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from smartqueue.programs import BASE_DIR
from tests.deploy.files import ALERTS, CONFIG, alerts, needs_prometheus

Series = dict[str, str]
STEADY = "x1600"
LATER = "25m"
DONE = 'smartqueue_jobs_completed_total{job_type="http",status="done"}'
FAILED = 'smartqueue_jobs_failed_total{job_type="http"}'
ANSWERS = "django_http_responses_total_by_status_total"
OK, BROKEN = f'{ANSWERS}{{status="200"}}', f'{ANSWERS}{{status="500"}}'


def steady(name: str, value: float) -> Series:
    return {name: f"{value}+0{STEADY}"}


def growing(name: str, by: float) -> Series:
    """So much in each quarter of a minute."""
    return {name: f"0+{by}{STEADY}"}


WEB = 'up{job="smartqueue-web",instance="web:8000"}'
LATE = "smartqueue_promotion_lag_seconds"
# What it fires at, and what is nearly that, or the same of something else.
CASES: list[tuple[str, Series, Series]] = [
    ("WebDown", steady(WEB, 0), steady(WEB, 1)),
    ("WebDown", steady('up{job="prometheus"}', 1), steady(WEB, 1)),
    ("NoLeader", steady("smartqueue_leader", 0), steady("smartqueue_leader", 1)),
    ("LeaderFlapping", growing("smartqueue_leader_terms_total", 0.1), growing("smartqueue_leader_terms_total", 0.01)),
    (
        "NoWorkers",
        steady("smartqueue_worker_slots", 0) | steady("smartqueue_queue_depth", 3),
        steady("smartqueue_worker_slots", 0) | steady("smartqueue_queue_depth", 0),
    ),
    (
        "NoWatchdog",
        steady('smartqueue_processes{kind="watchdog"}', 0),
        steady('smartqueue_processes{kind="watchdog"}', 1) | steady('smartqueue_processes{kind="worker"}', 0),
    ),
    (
        "ProcessDown",
        steady('up{job="smartqueue-worker",instance="w:9100"}', 0),
        steady('up{job="smartqueue-worker",instance="w:9100"}', 1) | steady('up{job="other"}', 0),
    ),
    (
        "OldestWaiting",
        steady("smartqueue_oldest_waiting_seconds", 601),
        steady("smartqueue_oldest_waiting_seconds", 599),
    ),
    ("SchedulerLate", steady(LATE, 31), steady(LATE, 29)),
    ("SchedulerLate", steady("smartqueue_schedule_lag_seconds", 91), steady("smartqueue_schedule_lag_seconds", 89)),
    (
        "SchedulerLate",
        steady("smartqueue_process_chore_lateness_seconds", 61),
        steady("smartqueue_process_chore_lateness_seconds", 59) | steady(LATE, 0),
    ),
    (
        "DeadLetters",
        growing('smartqueue_jobs_sent_to_dlq_total{job_type="http"}', 0.25)
        | growing('smartqueue_jobs_sent_to_dlq_total{job_type="etl"}', 0.25),
        growing('smartqueue_jobs_sent_to_dlq_total{job_type="http",instance="one"}', 0.25)
        | growing('smartqueue_jobs_sent_to_dlq_total{job_type="http",instance="two"}', 0.25),
    ),
    ("FailureRate", growing(FAILED, 1) | growing(DONE, 2), growing(FAILED, 1) | growing(DONE, 4)),
    # half of few
    ("FailureRate", growing(FAILED, 1) | growing(DONE, 1), growing(FAILED, 0.1) | growing(DONE, 0.1)),
    (
        "LeasesReclaimed",
        growing("smartqueue_leases_reclaimed_total", 0.25),
        growing("smartqueue_leases_reclaimed_total", 0.05),
    ),
    (
        "SlotsStuck",
        steady('smartqueue_process_slots_stuck{instance="w:9100"}', 1),
        steady('smartqueue_process_slots_stuck{instance="w:9100"}', 0),
    ),
    ("AuditUnsealed", steady("smartqueue_audit_unsealed_seconds", 121), steady("smartqueue_audit_unsealed_seconds", 5)),
    ("ModelDrifting", steady("smartqueue_models_drifting", 1), steady("smartqueue_models_drifting", 0)),
    ("TrainingFailing", steady("smartqueue_training_failures", 3), steady("smartqueue_training_failures", 2)),
    ("CoverageLow", steady("smartqueue_prediction_coverage", 0.5), steady("smartqueue_prediction_coverage", 0.8)),
    ("WebhooksFailing", steady("smartqueue_webhooks_failing", 4), steady("smartqueue_webhooks_failing", 3)),
    ("WebhooksLate", steady("smartqueue_delivery_lag_seconds", 121), steady("smartqueue_delivery_lag_seconds", 60)),
    (
        "StreamLate",
        steady('smartqueue_stream_lag_seconds{sink="kafka"}', 301)
        | steady('smartqueue_stream_lag_seconds{sink="sqs"}', 0),
        steady('smartqueue_stream_lag_seconds{sink="kafka"}', 299)
        | steady('smartqueue_stream_lag_events{sink="kafka"}', 900),
    ),
    (
        "ArtefactDiskFull",
        steady("smartqueue_artefact_disk_free_bytes", 9) | steady("smartqueue_artefact_disk_bytes", 100),
        steady("smartqueue_artefact_disk_free_bytes", 11) | steady("smartqueue_artefact_disk_bytes", 100),
    ),
    ("HttpErrors", growing(BROKEN, 3) | growing(OK, 97), growing(BROKEN, 1) | growing(OK, 99)),
]
HEADINGS = ["## What it means", "## What people see", "## First look", "## Mend", "## Afterwards"]
ALL = {rule["alert"]: rule for rule in alerts()}


def promtool(*words: str) -> str:
    done = subprocess.run(["promtool", *words], capture_output=True, text=True, check=False, cwd=BASE_DIR)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def minutes(text: str) -> float:
    return float(text[:-1]) * {"m": 1, "h": 60}[text[-1]]


def asked(name: str, series: Series, at: str, firing: bool) -> dict[str, Any]:
    query = f'count(ALERTS{{alertname="SmartQueue{name}",alertstate="firing"}})'
    samples = [{"labels": "{}", "value": 1}] if firing else []
    return {
        "name": f"{name} at {at}: {firing}",
        "interval": "15s",
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        "promql_expr_test": [{"expr": query, "eval_time": at, "exp_samples": samples}],
    }


@needs_prometheus
def test_each_fires_after_its_time_and_not_otherwise(tmp_path: Path) -> None:
    tests = []
    for name, bad, good in CASES:
        waits = minutes(ALL[f"SmartQueue{name}"]["for"])
        later = f"{int(2 * waits + minutes(LATER))}m"
        tests += [
            asked(name, bad, f"{int(waits * 30)}s", False),
            asked(name, bad, later, True),
            asked(name, good, later, False),
        ]
    file = tmp_path / "tests.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(ALERTS)], "evaluation_interval": "15s", "tests": tests}))

    assert "SUCCESS" in promtool("test", "rules", str(file))


def test_each_is_tried() -> None:
    assert {f"SmartQueue{name}" for name, _, _ in CASES} == set(ALL)


@needs_prometheus
def test_prometheus_takes_what_it_is_given() -> None:
    promtool("check", "rules", str(ALERTS))
    promtool("check", "config", "--syntax-only", str(CONFIG))


@pytest.mark.parametrize("rule", ALL.values(), ids=ALL.keys())
def test_each_has_a_runbook_with_commands(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    text = (BASE_DIR / rule["annotations"]["runbook_url"]).read_text()

    assert rule["alert"] in text
    assert re.findall(r"^## .*$", text, re.MULTILINE) == HEADINGS
    assert "```sh" in text.partition("## First look")[2].partition("## Mend")[0]


def test_each_is_in_the_documentation() -> None:
    text = (BASE_DIR / "docs/metrics.md").read_text()

    for name, rule in ALL.items():
        assert re.search(rf"\| `{name}` \| .* \| \[.*\]\({rule['annotations']['runbook_url'][5:]}\) \|", text), name


def test_each_runbook_is_of_an_alert() -> None:
    named = {rule["annotations"]["runbook_url"].rpartition("/")[2] for rule in ALL.values()}

    assert {path.name for path in (BASE_DIR / "docs/runbooks").glob("*.md")} == named
