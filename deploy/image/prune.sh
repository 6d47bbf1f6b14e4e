#!/bin/sh
# Takes what no process of SmartQueue reads from a virtual environment and from the collected static files:
# prune.sh <site-packages> <static files>. A third of the image.
set -eu
# Sources of scripts, for those who change them.
find "$2" -name '*.map*' -delete
# Pages name files by their hashes; by its plain name only the picture of the examples is asked for.
python3 - "$2" <<'END'
import json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
for name in json.loads((folder / "staticfiles.json").read_text())["paths"].keys() - {"sample.png"}:
    for ending in ("", ".gz", ".br"):
        (folder / (name + ending)).unlink(missing_ok=True)
END
cd "$1"
# Languages that the pages do not have; `en` is what Django falls back to.
find . -path '*/locale/*' -type d -prune ! -name en ! -name en_US ! -name de ! -name __pycache__ -exec rm -rf {} +
# Tests and stubs of libraries. numpy.testing and django.test are imported by others, and stay.
find . -type d -name tests -prune -exec rm -rf {} +
find . -name '*.pyi' -delete
# What botocore knows of Amazon's four hundred services but the one that keeps artefacts.
if [ -d botocore/data ]; then
    find botocore/data -mindepth 1 -maxdepth 1 -type d ! -name s3 -exec rm -rf {} +
fi
# Maps, and Fortran for NumPy.
rm -rf django/contrib/gis numpy/f2py
# Collected into the static files already, hashed and compressed.
rm -rf drf_spectacular_sidecar/static django/contrib/admin/static rest_framework/static
# Names of what is inside; those in *.libs were rewritten by auditwheel and do not bear it.
find . -name '*.so' ! -path '*.libs/*' -exec strip --strip-unneeded {} +
