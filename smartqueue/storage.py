"""Where artefacts are kept, from one address in the environment."""

import re
from importlib.util import find_spec
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.core.exceptions import ImproperlyConfigured

BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# By the word in the address: the option of S3Storage.
OPTIONS = {"endpoint": "endpoint_url", "region": "region_name", "prefix": "location", "style": "addressing_style"}
STYLES = {"auto", "path", "virtual"}


def artefact_storage(address: str) -> dict[str, Any]:
    """An entry of STORAGES. Raises ImproperlyConfigured, also where what S3 takes is not installed."""
    if not address:
        return {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    parts = urlsplit(address)
    if parts.scheme != "s3" or not BUCKET.fullmatch(parts.netloc) or parts.path.strip("/"):
        raise bad(address, "expected s3://bucket?endpoint=https://…&region=…")
    asked = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := asked.keys() - OPTIONS.keys():
        raise bad(address, f"{', '.join(sorted(unknown))} is not known; there are: {', '.join(OPTIONS)}")
    if not asked.get("endpoint", "https://").startswith(("http://", "https://")):
        raise bad(address, "the endpoint is an address with http:// or https://")
    if asked.get("style", "auto") not in STYLES:
        raise bad(address, f"style is one of {', '.join(sorted(STYLES))}")
    if not (find_spec("storages") and find_spec("boto3")):
        raise bad(address, "S3 needs django-storages and boto3: pip install -r requirements-s3.txt")
    # a store of one's own has seldom a name for each bucket
    asked.setdefault("style", "path" if "endpoint" in asked else "auto")
    options = {OPTIONS[word]: value for word, value in asked.items()}
    return {"BACKEND": "smartqueue.s3.ArtefactStorage", "OPTIONS": {"bucket_name": parts.netloc, **options}}


def bad(address: str, why: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"SMARTQUEUE_STORAGE={address!r}: {why}")
