"""Three hosts on one machine: network namespaces with lines between them that can be cut without a word."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psycopg

from smartqueue.embedded import Server
from smartqueue.pghome import die_with_parent
from tests.cluster import FAST_CONF

NEEDS = ("ip", "iptables", "nsenter")


def fault() -> str:
    """Why there can be no hosts here, or nothing."""
    if os.geteuid() != 0:
        return "namespaces need root"
    if missing := [name for name in NEEDS if shutil.which(name) is None]:
        return f"{', '.join(missing)} missing: apt-get install iproute2 iptables util-linux"
    trial = subprocess.run(["ip", "netns", "add", f"sq{os.getpid()}t"], capture_output=True, text=True, check=False)
    if trial.returncode:
        return f"no network namespaces: {trial.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", f"sq{os.getpid()}t"], check=False)
    return ""


def run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, text=True)


class Net:
    """Host `db`, joined to each of the hosts `a` and `b` by a line of its own."""

    HOSTS = ("a", "b")

    def __init__(self) -> None:
        self.name = f"sq{os.getpid()}"
        self.spaces: list[str] = []

    def space(self, host: str) -> str:
        return f"{self.name}{host}"

    def make(self) -> None:
        for host in ("db", *self.HOSTS):
            run("ip", "netns", "add", self.space(host))
            self.spaces.append(self.space(host))
            run("ip", "-n", self.space(host), "link", "set", "lo", "up")
        for number, host in enumerate(self.HOSTS):
            near, far = f"{self.name}{host}n", f"{self.name}{host}f"
            run("ip", "link", "add", near, "type", "veth", "peer", "name", far)
            for end, place, last in ((near, "db", 1), (far, host, 2)):
                run("ip", "link", "set", end, "netns", self.space(place))
                run("ip", "-n", self.space(place), "addr", "add", f"10.77.{number}.{last}/24", "dev", end)
                run("ip", "-n", self.space(place), "link", "set", end, "up")

    def address(self, host: str, *, of_db: bool) -> str:
        return f"10.77.{self.HOSTS.index(host)}.{1 if of_db else 2}"

    def command(self, host: str, words: list[str]) -> list[str]:
        return ["ip", "netns", "exec", self.space(host), *words]

    def cut(self, host: str) -> None:
        """Drop all that comes from it and goes to it: no end is told."""
        self.rules(host, "-A")

    def heal(self, host: str) -> None:
        self.rules(host, "-D")

    def rules(self, host: str, verb: str) -> None:
        other = self.address(host, of_db=False)
        for chain, side in (("INPUT", "-s"), ("OUTPUT", "-d")):
            run(*self.command("db", ["iptables", verb, chain, side, other, "-j", "DROP"]))

    def close(self) -> None:
        for space in self.spaces:
            subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True)


class HostedServer(Server):
    """The embedded server, on host `db`, reached over TCP."""

    def __init__(self, state: Path, net: Net, conf: Mapping[str, str] = FAST_CONF) -> None:
        # how soon it notices a vanished client is asked for by each session
        super().__init__(state, {**conf, "listen_addresses": "*"})
        self.net = net

    def spawn(self) -> "subprocess.Popen[bytes]":
        self.private_folder(self.socket_dir)
        self.evict_orphan()
        account = self.as_account()
        ids = [f"--setuid={account.pop('user')}", f"--setgid={account.pop('group')}"]
        account.pop("extra_groups")
        command = [str(self.binaries / "postgres"), "-D", str(self.data), "-c", "listen_addresses=*"]
        command += ["-c", f'unix_socket_directories="{self.socket_dir}"', "-c", "unix_socket_permissions=0700"]
        nsenter = shutil.which("nsenter") or "nsenter"
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [nsenter, f"--net=/run/netns/{self.net.space('db')}", *ids, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(signal.SIGINT),
                **account,
            )
        return self.process

    def let_hosts_in(self) -> None:
        with (self.data / "pg_hba.conf").open("a") as file:
            file.write("host all all 10.77.0.0/16 scram-sha-256\n")
        with psycopg.connect(**self.superuser(), autocommit=True) as session:
            session.execute("SELECT pg_reload_conf()")
