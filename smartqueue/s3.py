"""django-storages' S3, as artefacts need it. Credentials are boto3's: AWS_ACCESS_KEY_ID and so on, or a role."""

from typing import Any

from botocore.config import Config
from storages.backends.s3 import S3Storage

SPOOL_BYTES = 8_000_000


class ArtefactStorage(S3Storage):
    """Its names are ours and never come twice: it does not ask whether one is taken."""

    def __init__(self, *, addressing_style: str = "auto", **settings: Any) -> None:
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": addressing_style},
            connect_timeout=5,
            read_timeout=60,
            retries={"max_attempts": 4, "mode": "standard"},
            # what came later to AWS, and not all that speak S3 know; ours is in the row
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        # a large file that a job reads goes to the disk, not to memory
        kept = {"client_config": config, "file_overwrite": True, "max_memory_size": SPOOL_BYTES}
        super().__init__(**kept, **settings)
