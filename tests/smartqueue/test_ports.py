"""Finding a port."""

import os
import socket

from smartqueue.ports import address, address_url, allowed_hosts, listen


def test_a_taken_port_moves_on_to_the_next_and_says_so_and_by_whom() -> None:
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with listen("127.0.0.1", port, said.append) as listener:
            assert listener.getsockname()[1] > port

    assert f"port {port} is taken by" in said[0]
    assert f"(pid {os.getpid()})" in said[0]
    assert f"instead of {port}" in said[1]


def test_a_listener_for_all_addresses_is_reached_by_loopback_and_the_hosts_own_names() -> None:
    with listen("0.0.0.0", 20000, lambda text: None) as listener:  # noqa: S104 to see the names it gets
        assert address(listener)[0] == "127.0.0.1"
        assert address_url(listener).startswith("http://127.0.0.1:")
        assert socket.gethostname() in allowed_hosts(listener)
