"""python -m bench etl: an etl job beside the same work written with the csv module, and what the walls cost."""

import csv
import os
import random
import shutil
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from uuid import uuid4

import django
import psutil

from bench import cluster, machine, results, sizes

COUNTRIES = ("DE", "FR", "GB", "US", "JP", "BR", "IN", "CN", "ZA", "AU")
STEPS = [
    {"cast": {"amount": "decimal(12,2)"}},
    {"filter": "amount > 100 and day >= '2026-03-01'"},
    {"group": {"by": ["country"], "aggregates": {"orders": {"count": "*"}, "total": {"sum": "amount"}}}},
]
TRIVIAL = {"source": {"rows": [{"a": 1}]}, "sink": {"artefact": "out.csv"}}
ROUNDS = 5
LOOK_SECONDS = 0.005
MEGABYTE = 1e6


def main() -> None:
    with cluster.running():
        django.setup()
        report = {
            **machine.facts(),
            "sizes": {"rows": sizes.ETL_ROWS, "times": sizes.TIMES, "overhead_jobs": sizes.ETL_JOBS},
            "figures": {**against_csv(), **overhead()},
        }
        results.write("etl", report)
        for name, value in report["figures"].items():
            print(f"{name}: {value}")


def against_csv() -> dict[str, Any]:
    """Both in each round, one after the other; the medians count."""
    folder = Path(mkdtemp(prefix="smartqueue-etl-"))
    try:
        path = folder / "orders.csv"
        write_orders(path)
        rounds = [one_round(path) for _ in range(sizes.TIMES)]
        wanted = rounds[0]["csv"]["answer"]
        for each in rounds:
            for way in ("csv", "quick_csv", "etl"):
                if each[way]["answer"] != wanted:
                    raise AssertionError(f"{way} answers otherwise")
        seconds = {way: statistics.median(each[way]["seconds"] for each in rounds) for way in rounds[0]}
        work = {way: statistics.median(each[way]["processor"] for each in rounds) for way in rounds[0]}
        return {
            "file_megabytes": round(path.stat().st_size / MEGABYTE, 1),
            "etl_seconds": round(seconds["etl"], 3),
            "csv_module_seconds": round(seconds["csv"], 3),
            "csv_module_tuned_seconds": round(seconds["quick_csv"], 3),
            "times_faster": round(seconds["csv"] / seconds["etl"], 1),
            "times_faster_than_tuned": round(seconds["quick_csv"] / seconds["etl"], 1),
            "etl_processor_seconds": round(work["etl"], 3),
            "csv_module_processor_seconds": round(work["csv"], 3),
            "times_less_work": round(work["csv"] / work["etl"], 1),
            "etl_peak_megabytes": round(max(each["etl"]["peak"] for each in rounds) / MEGABYTE),
        }
    finally:
        shutil.rmtree(folder)


def one_round(path: Path) -> dict[str, dict[str, Any]]:
    return {
        "csv": timed(lambda: by_csv(path)),
        "quick_csv": timed(lambda: by_quick_csv(path)),
        "etl": by_job(path),
    }


def timed(work: Callable[[], Any]) -> dict[str, Any]:
    began, busy = time.perf_counter(), time.process_time()
    answer = work()
    return {"seconds": time.perf_counter() - began, "processor": time.process_time() - busy, "answer": answer}


def write_orders(path: Path) -> None:
    chance = random.Random(1)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "customer", "country", "amount", "quantity", "day", "note"])
        for number in range(sizes.ETL_ROWS):
            amount = f"{chance.randrange(1, 1_000_000) / 100:.2f}"
            day = f"2026-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}"
            note = "with, comma" if number % 50 == 0 else "plain"
            customer = f"customer-{chance.randrange(50_000)}"
            writer.writerow([number, customer, chance.choice(COUNTRIES), amount, chance.randrange(1, 20), day, note])


def by_csv(path: Path) -> list[list[str]]:
    """As one writes it: names, and exact sums."""
    counts: dict[str, int] = defaultdict(int)
    totals: dict[str, Decimal] = defaultdict(Decimal)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            amount = Decimal(row["amount"])
            if amount > 100 and row["day"] >= "2026-03-01":
                counts[row["country"]] += 1
                totals[row["country"]] += amount
    return [[country, str(counts[country]), str(totals[country])] for country in sorted(counts)]


def by_quick_csv(path: Path) -> list[list[str]]:
    """As one writes it for speed: by position, in cents."""
    counts: dict[str, int] = defaultdict(int)
    cents: dict[str, int] = defaultdict(int)
    with path.open(newline="") as file:
        reader = csv.reader(file)
        next(reader)
        for _, _, country, amount, _, day, _ in reader:
            value = int(amount.replace(".", ""))
            if value > 10_000 and day >= "2026-03-01":
                counts[country] += 1
                cents[country] += value
    return [[country, str(counts[country]), f"{cents[country] / 100:.2f}"] for country in sorted(counts)]


def by_job(path: Path) -> dict[str, Any]:
    """The whole of a shut-in attempt: its process, the walls, the work and the file that it makes."""
    payload = {"source": {"artefact": str(uuid4())}, "steps": STEPS, "sink": {"artefact": "totals.csv"}}
    # the fork server is up then
    attempt("etl", TRIVIAL)
    peak = Peak()
    with peak:
        kept, seconds = attempt("etl", payload, path)
    answer = list(csv.reader(kept["totals.csv"].decode().splitlines()))[1:]
    return {"seconds": seconds, "answer": answer, "processor": peak.processor, "peak": peak.bytes}


def attempt(type: str, payload: Mapping[str, Any], source: Path | None = None) -> tuple[dict[str, bytes], float]:
    """What it kept, and how long it took from its order to its end."""
    from django.conf import settings

    from jobs.handlers import registry
    from jobs.handlers.base import Context
    from jobs.processes.children import run_in_child

    Path(settings.WORK_ROOT).mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(dir=settings.WORK_ROOT))
    if source is not None:
        shutil.copy(source, folder / "in-0.csv")
    reporter = Reporter()
    context = Context(uuid4(), 1, "bench", type, type, payload, "bench", 300, {}, reporter, folder=folder)
    began = time.perf_counter()
    run_in_child(context, registry.get(type))
    seconds = time.perf_counter() - began
    shutil.rmtree(folder)
    return reporter.kept, seconds


class Reporter:
    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def log(self, stream: str, text: str) -> None:
        """Nobody reads it."""

    def progress(self, fraction: float, message: str) -> None:
        """Nobody looks."""

    def artefact(self, name: str, data: bytes, content_type: str) -> str:
        raise NotImplementedError

    def artefact_file(self, name: str, path: Path, content_type: str) -> str:
        self.kept[name] = path.read_bytes()
        return name

    def enqueue(self, asked: Mapping[str, Any], key: str, *, borrowed: bool = False) -> str:
        raise NotImplementedError

    def copy_artefact(self, artefact_id: str, to: Path) -> Any:
        raise NotImplementedError


class Peak:
    """The most memory and processor time that any process took which was started below us meanwhile."""

    def __init__(self) -> None:
        self.bytes, self.processor = 0, 0.0
        self.over = threading.Event()
        self.known = {one.pid for one in psutil.Process().children(recursive=True)}

    def __enter__(self) -> None:
        self.thread = threading.Thread(target=self.look)
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def look(self) -> None:
        while not self.over.wait(LOOK_SECONDS):
            for one in psutil.Process().children(recursive=True):
                if one.pid not in self.known:
                    self.bytes = max(self.bytes, high_water(one.pid))
                    self.processor = max(self.processor, processor_of(one))


def high_water(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    line = next((line for line in text.splitlines() if line.startswith("VmHWM:")), "VmHWM: 0 kB")
    return int(line.split()[1]) * 1024


def processor_of(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def overhead() -> dict[str, float]:
    """In turn, so that what else goes on meets all: one etl job with and without its walls, and a task in a process."""
    took: dict[str, list[float]] = {"etl": [], "etl_without_walls": [], "python": []}
    for _ in range(ROUNDS):
        for name in took:
            took[name] += some(name)
    walled, unwalled, python = (statistics.median(each) for each in took.values())
    return {
        "trivial_etl_ms": round(walled, 1),
        "trivial_etl_without_walls_ms": round(unwalled, 1),
        "isolated_task_ms": round(python, 1),
        "walls_ms": round(walled - unwalled, 1),
        "more_than_isolated_task_ms": round(walled - python, 1),
    }


def some(name: str) -> list[float]:
    """Of jobs after the first two, which wait for their fork server."""
    from jobs.processes.servers import close_servers

    close_servers()
    os.environ["SMARTQUEUE_CHILD_SANDBOX"] = "off" if name == "etl_without_walls" else "auto"
    type = "python" if name == "python" else "etl"
    payload = {"task": "bench.isolated"} if name == "python" else TRIVIAL
    return [attempt(type, payload)[1] * 1000 for _ in range(sizes.ETL_JOBS // ROUNDS + 2)][2:]
