"""Pages of the reference, made from the product itself whenever the site is built: none can be out of date."""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
SECTION = re.compile(r"# --- (.+?) -+$")
# Commands of libraries, which are told of in theirs.
OURS = ("smartqueue", "jobs", "orgs")
# What Django gives each of its commands.
EVERYWHERE = re.compile(
    r"\s*\[(?:--version|-v \{0,1,2,3\}|--settings SETTINGS|--pythonpath PYTHONPATH|--traceback|--no-color"
    r"|--force-color|--skip-checks)\]"
)
# What reads a variable by its name.
READERS = ("env_", "rate", "required_secret", "kafka_", "sqs_")
DOCUMENTED = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    section: str
    # As the source says it: what it is and what speaks for more or less; may stand for several that follow it.
    about: str
    default: str


def settings(path: Path = ROOT / "smartqueue" / "settings.py") -> list[Setting]:
    """Every environment variable that the settings read, in their order."""
    source = path.read_text(encoding="utf-8")
    comments, sections = told(source)
    found: dict[str, Setting] = {}
    for node in ast.parse(source).body:
        for name, default in variables(node):
            line = node.lineno
            section = next((text for at, text in reversed(sections) if at < line), "The deployment")
            found.setdefault(name, Setting(name, section, comments.get(line, ""), default))
    return list(found.values())


def told(source: str) -> tuple[dict[int, str], list[tuple[int, str]]]:
    """Of each line the comment right above it, and where sections begin."""
    lines: dict[int, str] = {}
    sections: list[tuple[int, str]] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and token.start[1] == 0:
            if section := SECTION.match(token.string):
                sections.append((token.start[0], section[1]))
            else:
                lines[token.start[0]] = token.string.removeprefix("#").strip()
    above: dict[int, str] = {}
    for at in sorted(lines):
        begun = at
        while begun - 1 in lines:
            begun -= 1
        above[at + 1] = " ".join(lines[line] for line in range(begun, at + 1))
    return above, sections


def variables(node: ast.stmt) -> Iterator[tuple[str, str]]:
    """(name, default) of the calls of env_*() and of what stands for one; the default as the source has it."""
    for call in ast.walk(node):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or not call.args:
            continue
        first = call.args[0]
        if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
            continue
        if re.fullmatch(r"[A-Z][A-Z0-9_]+", first.value) and call.func.id.startswith(READERS):
            yield first.value, ast.unparse(call.args[1]) if len(call.args) > 1 else ""


def settings_page() -> str:
    lines = [
        "# Settings",
        "",
        "Environment variables, each with what it is where nothing is set. Seconds may be fractions.",
        "",
    ]
    section = ""
    for one in settings():
        if one.section != section:
            section = one.section
            lines += ["", f"## {section}", "", "| variable | default | |", "|---|---|---|"]
        about = one.about.replace("|", "\\|")
        default = f"`{one.default}`".replace("|", "\\|") if one.default else ""
        lines.append(f"| `{one.name}` | {default} | {about} |")
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    lines = ["# Commands", "", "As each says itself with `--help`.", "", "## manage.py", ""]
    for name in manage_commands():
        lines += [f"### {name}", "", "```text", helped([sys.executable, "manage.py", name, "--help"]), "```", ""]
    lines += ["## sq", "", "```text", helped([sys.executable, "-m", "smartqueue_client", "--help"]), "```", ""]
    for name in sq_commands():
        words = [sys.executable, "-m", "smartqueue_client", name, "--help"]
        lines += [f"### sq {name}", "", "```text", helped(words), "```", ""]
    return "\n".join(lines)


def manage_commands() -> list[str]:
    folders = [ROOT / app / "management" / "commands" for app in OURS]
    return sorted(path.stem for folder in folders for path in folder.glob("[a-z]*.py"))


def sq_commands() -> list[str]:
    """As its help lists them."""
    told = helped([sys.executable, "-m", "smartqueue_client", "--help"])
    listed = told.partition("  command\n")[2].partition("\n\n")[0]
    return re.findall(r"^    ([a-z-]+)(?:\s|$)", listed, re.MULTILINE)


def helped(words: list[str]) -> str:
    """What a command says of itself, as wide as a page. Raises CalledProcessError."""
    environ = {"PATH": "/usr/bin:/bin", "COLUMNS": "100", "NO_COLOR": "1", "SMARTQUEUE_TESTING": "1", "LANG": "C.UTF-8"}
    environ["PYTHONPATH"] = str(ROOT / "clients" / "python")
    done = subprocess.run(words, cwd=ROOT, env=environ, capture_output=True, text=True, check=True, timeout=120)
    # in the usage and in the list, where they come last
    if "smartqueue_client" in words:
        return done.stdout.strip()
    text = re.sub(EVERYWHERE, "", done.stdout)
    return re.split(r"^  (?:--version|-v \{|--settings)", text, maxsplit=1, flags=re.MULTILINE)[0].strip()


def api_page() -> str:
    document: dict[str, Any] = yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))
    lines = [
        "# Operations of the API",
        "",
        "From `openapi.yaml`; [the REST API](../api.md) says what is common to all.",
        "",
    ]
    by_tag: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method in DOCUMENTED:
            if method in operations:
                operation = operations[method]
                said = " ".join((operation.get("summary") or operation.get("description", "")).split())
                first = re.split(r"(?<=[.:]) ", said, maxsplit=1)[0].replace("|", "\\|")
                row = f"| `{method.upper()}` | `{path}` | {first} |"
                by_tag.setdefault((operation.get("tags") or ["other"])[0], []).append(row)
    for tag, rows in by_tag.items():
        lines += [f"## {tag}", "", "| | | |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


PAGES = {"settings": settings_page, "commands": commands_page, "api": api_page}
