"""The API of SmartQueue for programs, and its command line."""

from smartqueue_client.api import ApiError, Client, Unreachable

__version__ = "0.1.0"
__all__ = ["ApiError", "Client", "Unreachable", "__version__"]
