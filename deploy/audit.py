"""Looks every package of the lock files up among the known weaknesses, with pip-audit; `make audit`.

pip-audit leaves out what a lock file has for another Python or system than the one it runs on. So it is given each pin
without its condition, once, and two versions of a package in two files. A package that it cannot look up fails the
whole (--strict): passed over, it would look like one without weaknesses.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCKS = [*sorted(ROOT.glob("requirements*.txt")), ROOT / "bench" / "requirements-peers.txt"]
# name==version, whatever follows
PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==([^ ;\\\s]+)")
# The parts of a lock file that are no pin: hashes, comments, options that uv writes, and nothing.
OTHER = re.compile(r"^(\s*(--hash=|#|$)|--)")


def pins(path: Path) -> set[tuple[str, str]]:
    """(name, version) of each package in a lock file.

    :raises SystemExit: where a line is neither a pin nor belongs to one, such as an address or a folder
    """
    found = set()
    for line in path.read_text(encoding="utf-8").splitlines():
        if pin := PIN.match(line):
            found.add((pin[1].lower(), pin[2]))
        elif not OTHER.match(line):
            sys.exit(f"{path}: cannot be looked up: {line}")
    return found


def rounds(found: set[tuple[str, str]]) -> list[dict[str, str]]:
    """The same, in as many parts as the package with the most versions has of them."""
    parts: list[dict[str, str]] = []
    for name, version in sorted(found):
        for part in parts:
            if name not in part:
                part[name] = version
                break
        else:
            parts.append({name: version})
    return parts


def main(options: list[str], locks: list[Path]) -> int:
    found = set[tuple[str, str]]().union(*map(pins, locks))
    command = [sys.executable, "-m", "pip_audit", "--strict", "--disable-pip", "--no-deps", "--progress-spinner", "off"]
    code = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, part in enumerate(rounds(found)):
            listed = Path(folder, f"{number}.txt")
            listed.write_text("".join(f"{name}=={version}\n" for name, version in part.items()), encoding="utf-8")
            code |= subprocess.run([*command, "-r", str(listed), *options], check=False).returncode
    end = "FAILED" if code else "no known weakness"
    sys.stdout.write(f"{len(found)} packages of {len(locks)} lock files: {end}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], LOCKS))
