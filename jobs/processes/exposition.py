"""/metrics of a worker, a scheduler or a watchdog: about that process alone, on a port of its own."""

import threading
from argparse import ArgumentParser
from collections.abc import Callable, Iterable
from socket import AF_INET6, create_server
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from django.conf import settings
from django.core.management.base import CommandError
from prometheus_client import GC_COLLECTOR, PLATFORM_COLLECTOR, PROCESS_COLLECTOR, CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.registry import Collector

from jobs.metrics.scrape import knows_token

MOST_PORT = 65_535


class Handler(WSGIRequestHandler):
    # Seconds for a scraper that says nothing.
    timeout = 10

    def log_message(self, format: str, *args: Any) -> None:
        """A line for each scrape would tell nothing."""


class Server(ThreadingWSGIServer):
    daemon_threads = True


class ServerOfIPv6(Server):
    address_family = AF_INET6


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--metrics-port",
        type=int,
        default=settings.METRICS_PORT,
        help="serve /metrics of this process here; 0: nowhere",
    )
    parser.add_argument("--metrics-host", default=settings.METRICS_HOST, help="the address that it listens on")


def refuse_taken(host: str, port: int, count: int = 1) -> None:
    """Raise CommandError where these ports, one for each process, cannot be listened on."""
    if not port:
        return
    if not 1 <= port <= MOST_PORT - count + 1:
        raise CommandError(f"--metrics-port {port}: expected a port, and {count} from it on; 0: nowhere")
    for each in range(port, port + count):
        try:
            create_server((host, each), family=server_of(host).address_family).close()
        except OSError as error:
            raise CommandError(f"--metrics-port {each} of {host}: {error.strerror or error}") from error


def serve(collector: Collector, host: str, port: int) -> Callable[[], None] | None:
    """Answer scrapes in a thread until the process ends, or what is returned is called; nothing for port 0."""
    if not port:
        return None
    registry = CollectorRegistry()
    for each in (collector, PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
        registry.register(each)
    server = make_server(host, port, guarded(registry), server_of(host), Handler)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return stop


def server_of(host: str) -> type[Server]:
    return ServerOfIPv6 if ":" in host else Server


def guarded(registry: CollectorRegistry) -> Callable[..., Iterable[bytes]]:
    """As /metrics of the web: where a token is set, nobody without it learns that there is something."""
    metrics = make_wsgi_app(registry)

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        known = not settings.METRICS_TOKEN or knows_token(environ.get("HTTP_AUTHORIZATION", ""))
        if environ.get("PATH_INFO") == "/metrics" and known:
            answer: Iterable[bytes] = metrics(environ, start_response)
            return answer
        start_response("404 Not Found", [("Content-Length", "0")])
        return []

    return application
