"""What a scrape says, as numbers."""

from collections.abc import Mapping

from django.conf import settings
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from jobs.metrics.families import PREFIX

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: str) -> Series:
    return {
        (sample.name, frozenset(sample.labels.items())): float(sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scraped() -> Series:
    """All that the web tells, by name and labels."""
    token = {"HTTP_AUTHORIZATION": f"Bearer {settings.METRICS_TOKEN}"} if settings.METRICS_TOKEN else {}
    return parsed(Client(**token).get("/metrics").content.decode())


def value(series: Series, name: str, **labels: str) -> float | None:
    return series.get((PREFIX + name, frozenset(labels.items())))


# What else runs on the host moves it.
OTHERS = {PREFIX + "artefact_disk_free_bytes"}


def moved(before: Series, after: Series) -> dict[str, float]:
    """What of ours is not what it was, by how much: {"jobs_created_total job_type=python": 1.0}."""
    return {
        spoken(name.removeprefix(PREFIX), dict(labels)): number - before.get((name, labels), 0.0)
        for (name, labels), number in after.items()
        if name.startswith(PREFIX) and name not in OTHERS and number != before.get((name, labels), 0.0)
    }


def spoken(name: str, labels: Mapping[str, str]) -> str:
    return " ".join([name, *(f"{key}={word}" for key, word in sorted(labels.items()))])
