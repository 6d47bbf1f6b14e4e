"""How fast it is.

python -m bench                  SmartQueue and its peers in one run: ratios, and bench/results/peers.json
python -m bench NAME ...         only these of them, for looking
python -m bench ours [NAME ...]  SmartQueue alone at scale, under load and under fire: bench/results/smartqueue.json
python -m bench audit            what the audit trail and its seals cost: bench/results/audit.json
python -m bench etl              an etl job beside the csv module, and what its walls cost: bench/results/etl.json
python -m bench fair-use         a quiet organisation beside one that floods: bench/results/fair-use.json
python -m bench pages [JOBS]     each page of the dashboard among a million jobs: bench/results/pages.json
python -m bench rls              what row-level security costs a call: bench/results/rls.json
python -m bench soak PROMETHEUS WEB ...  an hour of mixed load on a deployment that runs: bench/results/soak.json
python -m bench scaling [drains] many hosts and cells, simulated from measured costs: bench/results/scaling.json
python -m bench stream           changes of jobs to Kafka and SQS over outages: bench/results/stream.json
python -m bench tabs             what open pages cost while nothing moves: bench/results/tabs.json
python -m bench policy           predictions, orders and classes over traces and tickets: bench/results/policy-*.json
python -m bench docs             write the figures of the files into the pages of docs/
"""

import os
import subprocess
import sys

from bench import (
    audit,
    cluster,
    compare,
    etl,
    fair_use,
    machine,
    page_times,
    pages,
    redis_server,
    results,
    rls,
    scaling,
    sizes,
    soak,
    tables,
    tabs,
)
from bench.ours import main as ours
from bench.runner import PEERS_VENV, POSTGRESQL, REDIS

POLICY = ("accuracy", "order", "classes", "serving")
# The figures are of one core, whatever a library would take.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "SMARTQUEUE_TESTING": "1"}


def main(words: list[str]) -> None:
    match words:
        case ["docs"]:
            pages.write()
        case ["ours", *names]:
            ours.main(names)
        case ["audit"]:
            audit.main()
        case ["etl"]:
            etl.main()
        case ["fair-use"]:
            fair_use.main()
        case ["pages", *words]:
            page_times.main(words)
        case ["rls"]:
            rls.main()
        case ["soak", prometheus, *webs] if webs:
            soak.main([prometheus, *webs])
        case ["scaling"] | ["scaling", "drains"]:
            scaling.main(words[1:])
        case ["stream"]:
            # what it needs beside SmartQueue comes with the packages for tests
            from bench import stream

            stream.main()
        case ["tabs"]:
            tabs.main()
        case ["policy"]:
            policy()
        case _:
            beside_peers(words)


def policy() -> None:
    """Each in a process of its own: what one leaves in memory must not count for the next."""
    for part in POLICY:
        subprocess.run([sys.executable, "-m", f"bench.policy.{part}"], check=True, env={**os.environ, **ONE_THREAD})
    pages.write()


def beside_peers(names: list[str]) -> None:
    wanted = names or [*POSTGRESQL, *REDIS]
    if unknown := set(wanted) - {*POSTGRESQL, *REDIS}:
        sys.exit(f"no such peer: {', '.join(sorted(unknown))}")
    if set(wanted) - {"smartqueue"}:
        install_peers()
    with cluster.running() as server, redis_server.running() as redis_url:
        facts = machine.facts()
        found = compare.compare(wanted, server, redis_url)
        # far from the first one: something else was at work on this machine
        facts["bare_commits_per_second_at_the_end"] = round(machine.bare_commits())
    report = {**facts, "sizes": sizes.of_peers(), "peers": found}
    if not names or sizes.KEPT:
        results.write("peers", report)
    print(tables.of_peers(report))


def install_peers() -> None:
    """The other queues, with their hashes, where they cannot meet our own packages."""
    python = str(PEERS_VENV / "bin" / "python")
    locked = sizes.HERE / "requirements-peers.txt"
    stamp = PEERS_VENV / ".installed"
    if stamp.exists() and stamp.read_text() == locked.read_text():
        return
    subprocess.run([sys.executable, "-m", "venv", str(PEERS_VENV)], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(locked)], check=True)
    stamp.write_text(locked.read_text())


if __name__ == "__main__":
    main(sys.argv[1:])
