"""A free TCP port for the web, and the names under which it is reached."""

import errno
import socket
from collections.abc import Callable

import psutil

TRIES = 20
ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 compared, not bound


def listen(host: str, first_port: int, say: Callable[[str], None]) -> socket.socket:
    """A bound socket on the first free port from `first_port` on; says which ports were taken, and by whom."""
    family = socket.getaddrinfo(host, first_port, type=socket.SOCK_STREAM)[0][0]
    for port in range(first_port, min(first_port + TRIES, 65536)):
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            # Two sockets may bind; only one may listen.
            listener.listen(2048)
        except OSError as error:
            listener.close()
            if error.errno == errno.EACCES:
                raise PermissionError(f"this user may not listen on port {port}: choose PORT above 1023") from error
            if error.errno != errno.EADDRINUSE:
                raise
            say(f"  port {port} is taken{holder(port)}")
        else:
            if port != first_port:
                say(f"  using port {listener.getsockname()[1]} instead of {first_port}")
            return listener
    raise OSError(f"no free port from {first_port} to {first_port + TRIES - 1}: set PORT")


def holder(port: int) -> str:
    """Who listens there, where we may know it."""
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr
            if listens and listens.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except (psutil.Error, OSError):
        pass
    return ""


def address(listener: socket.socket) -> tuple[str, int]:
    """Where this machine itself reaches it."""
    host, port, *_ = listener.getsockname()
    return ANY.get(host, host), port


def address_url(listener: socket.socket) -> str:
    host, port = address(listener)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def allowed_hosts(listener: socket.socket) -> list[str]:
    """Loopback names; and when open to a network, this machine's name and addresses."""
    host = listener.getsockname()[0]
    names = ["127.0.0.1", "localhost", "[::1]"]
    if host in ANY:
        for addresses in psutil.net_if_addrs().values():
            names += [one.address for one in addresses if one.family == socket.AF_INET]
        names.append(socket.gethostname())
    elif host not in names:
        names.append(f"[{host}]" if ":" in host else host)
    return list(dict.fromkeys(names))
