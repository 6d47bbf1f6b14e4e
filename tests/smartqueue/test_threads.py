"""What NumPy is told before it is loaded."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Django's settings, then the tasks of the process: if NumPy came in before the settings, it would not have heard.
ASK = """
import sys
import django.conf
assert "numpy" not in sys.modules
django.conf.settings.DEBUG
assert "numpy" not in sys.modules, "NumPy is loaded before the settings have said a word"
import os
print(os.environ["OPENBLAS_NUM_THREADS"])
"""


def test_numpy_computes_on_one_thread_unless_the_operator_says() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    environment["DJANGO_SETTINGS_MODULE"] = "smartqueue.settings"

    said = subprocess.run([sys.executable, "-c", ASK], env=environment, cwd=ROOT, capture_output=True, check=True)

    assert said.stdout.decode().strip() == "1"
