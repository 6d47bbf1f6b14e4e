"""The pages of docs/ that have figures: what stands between their marks is made from the result files."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import proofs, results, tables
from bench.policy.class_tables import of_classes
from bench.policy.tables import of_accuracy
from bench.scaling import of_scaling
from bench.workers import ROOT


def of(name: str, shape: Callable[[dict[str, Any]], str]) -> Callable[[], str]:
    def text() -> str:
        report = results.read(name)
        return shape(report) if report else "Not measured yet."

    return text


PAGES: dict[Path, dict[str, Callable[[], str]]] = {
    ROOT / "docs" / "classification.md": {"classes": of("policy-classes", of_classes)},
    ROOT / "docs" / "event-stream.md": {"stream": of("stream", tables.of_stream)},
    ROOT / "docs" / "performance.md": {
        "peers": of("peers", tables.of_peers),
        "smartqueue": of("smartqueue", tables.of_ours),
        "pages": of("pages", tables.of_pages),
        "pages-10000000": of("pages-10000000", tables.of_pages),
    },
    ROOT / "docs" / "prediction.md": {"accuracy": of("policy-accuracy", of_accuracy)},
    ROOT / "docs" / "scaling.md": {"scaling": of("scaling", of_scaling)},
    ROOT / "docs" / "usage.md": {"fair-use": of("fair-use", lambda report: tables.of_ours({"fair use": report}))},
    ROOT / "docs" / "reliability.md": {"chaos": proofs.of_chaos, "proofs": proofs.of_proofs},
}


def write() -> None:
    for path in PAGES:
        path.write_text(with_figures(path), encoding="utf-8")


def with_figures(path: Path) -> str:
    """The page with the figures of the result files between its marks."""
    page = path.read_text(encoding="utf-8")
    for name, text in PAGES[path].items():
        marks = re.compile(f"(<!-- figures: {name} -->\n)(.*?)(<!-- end -->)", re.DOTALL)
        # as parts: a figure is not a pattern
        before, begin, _, end, after = re.split(marks, page, maxsplit=1)
        page = f"{before}{begin}\n{text()}\n\n{end}{after}"
    return page
