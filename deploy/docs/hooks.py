"""What the site has beyond the files of docs/: the reference, the decisions in its menu, and links out of docs/."""

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import reference  # noqa: E402 beside this file

# [what it says](../tests/x.py#anchor): what is not in docs/ has no page here.
OUTWARD = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])+)\]\((?:\.\./)+((?!docs/)[A-Za-z][^)#\s]*)(#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Runbooks and decisions are listed by their names."""
    assert config.nav is not None
    for section in config.nav:
        for title, pages in section.items():
            if not pages:
                names = sorted(path.name for path in Path(config.docs_dir, title.lower()).glob("*.md"))
                section[title] = [f"{title.lower()}/{name}" for name in names]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for name, page in reference.PAGES.items():
        files.append(File.generated(config, f"reference/{name}.md", content=page()))
    icon = (reference.ROOT / "static" / "icon.svg").read_text(encoding="utf-8")
    files.append(File.generated(config, "assets/icon.svg", content=icon))
    return files


def on_page_markdown(markdown: str, page: Page, **about: Any) -> str:
    """Links to files of the repository that have no page are said, not linked."""
    return OUTWARD.sub(outward(page), markdown)


def outward(page: Page) -> Any:
    docs, depth = reference.ROOT / "docs", page.file.src_uri.count("/")

    def said(found: re.Match[str]) -> str:
        ups = found[0].count("../")
        # within docs/ still, from a folder of it
        if ups <= depth and Path(docs, found[2]).exists():
            return found[0]
        return f"{found[1]} (`{found[2]}`)" if found[2] not in found[1] else f"`{found[2]}`"

    return said


def on_post_build(config: MkDocsConfig) -> None:
    """Maps of scripts name addresses elsewhere, and nobody reads them here."""
    for path in Path(config.site_dir).rglob("*.map"):
        path.unlink()
