"""`make test`: every test, with a browser where one can be had, and one plain closing line."""

import os
import shutil
import subprocess
import sys

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
INSTALL = "apt-get update && apt-get install -y --no-install-recommends chromium"


def main(arguments: list[str]) -> int:
    browser = find_browser() or (install_browser() if os.environ.get("CI") else None)
    if not browser:
        say(f"BROWSER TESTS ARE SKIPPED: no Chromium on the PATH. To have one: {INSTALL}")
    status = int(pytest.main(arguments))
    if not browser:
        say(f"browser: SKIPPED ({INSTALL})")
    return status


def find_browser() -> str | None:
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def install_browser() -> str | None:
    """On a CI machine of Debian's kind, as root."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    say("installing Chromium ...")
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(INSTALL, shell=True, check=False, env=environ, stdout=subprocess.DEVNULL)  # noqa: S602 a constant
    return find_browser()


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
