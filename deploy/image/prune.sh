#!/bin/sh
# Takes from a virtual environment what no process of SmartQueue reads: prune.sh <site-packages>. A third of the image.
set -eu
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
# Collected into the static files already, hashed and compressed.
rm -rf drf_spectacular_sidecar/static django/contrib/admin/static rest_framework/static
