"""The box printed when all is up. ASCII only, no side borders: its lines are there to be copied."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path

RULE = "=" * 78


@dataclass(frozen=True)
class Login:
    username: str
    password: str
    role: str
    org: str


def demo_logins(state: Path) -> list[Login]:
    """What seed_demo wrote; empty when it never ran."""
    try:
        rows = json.loads((state / "demo.json").read_text(encoding="utf-8"))
        return [Login(row["username"], row["password"], row["role"], row["org"]) for row in rows]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def welcome(url: str, logins: list[Login], *, data: str, logs: Path, mail: str, seconds: float) -> str:
    lines = [RULE, f"  SmartQueue is up: {url}   ({seconds:.1f} s)", ""]
    if logins:
        width = max(len(login.username) for login in logins)
        pass_width = max(len(login.password) for login in logins)
        lines.append("  Sign in with")
        lines += [
            f"    {one.username:<{width}}  {one.password:<{pass_width}}  {one.role} of {one.org}" for one in logins
        ]
        submitter = next((login for login in logins if login.role != "viewer"), logins[0])
        lines += ["", "  A first job:", curl(url, submitter)]
    else:
        lines.append("  No demo logins. Make your own: make user")
    lines += [
        "",
        f"  Data   {data}",
        f"  Logs   {logs}",
        f"  Mail   {mail}",
        f"  API    {url}api/v1/docs/",
        "",
        "  Ctrl-C stops everything. This is a development server.",
        RULE,
    ]
    return "\n".join(lines)


def curl(url: str, login: Login) -> str:
    """Two commands that work in any sh: no jq, nothing of ours."""
    credentials = shlex.quote(json.dumps({"username": login.username, "password": login.password}))
    job = shlex.quote(json.dumps({"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}))
    as_json = "-H 'Content-Type: application/json'"
    return "\n".join(
        [
            f"    TOKEN=$(curl -s {url}api/v1/auth/login/ {as_json} \\",
            f'      -d {credentials} | sed \'s/.*"access": *"\\([^"]*\\)".*/\\1/\')',
            f'    curl -s {url}api/v1/jobs/ -H "Authorization: Bearer $TOKEN" {as_json} \\',
            f"      -d {job}",
        ]
    )
