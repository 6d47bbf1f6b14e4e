"""The API of SmartQueue for programs, and its command line."""

from smartqueue_client.client import Client
from smartqueue_client.errors import (
    ApiError,
    BadDownload,
    BadRequest,
    Changed,
    Conflict,
    Forbidden,
    JobFailed,
    KeyReused,
    NotConnected,
    NotFound,
    ServerError,
    SmartQueueError,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unreachable,
    WaitTimeout,
)
from smartqueue_client.version import VERSION

__version__ = VERSION
__all__ = [
    "ApiError",
    "BadDownload",
    "BadRequest",
    "Changed",
    "Client",
    "Conflict",
    "Forbidden",
    "JobFailed",
    "KeyReused",
    "NotConnected",
    "NotFound",
    "ServerError",
    "SmartQueueError",
    "TooLarge",
    "TooManyRequests",
    "Unauthorized",
    "Unreachable",
    "WaitTimeout",
    "__version__",
]
