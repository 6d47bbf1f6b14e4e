"""Shuts the process of one attempt in: no network, no files but its own folder's, no rights, no other programs.

For handlers that read what tenants send with other people's C code (images, tables, models): who takes over such a
process finds nothing in it and nothing around it. Four walls, each enough against most: a network namespace of its own
(unshare(2)), Landlock (https://docs.kernel.org/userspace-api/landlock.html), no capabilities, and a seccomp filter.
"""

import ctypes
import errno
import os
import platform
import signal
import struct
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from django.conf import settings

from jobs.handlers.launcher import PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG, prctl

CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWIPC = 0x10000000, 0x40000000, 0x08000000
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
# Bits of LANDLOCK_ACCESS_FS_*; what each version of the kernel's interface added.
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REFER, TRUNCATE, IOCTL_DEV = (
    1 << 0,
    1 << 1,
    1 << 2,
    1 << 3,
    1 << 13,
    1 << 14,
    1 << 15,
)
FIRST_FILE_RIGHTS = (1 << 13) - 1
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
READ = READ_FILE | READ_DIR
# EXECUTE is for shared libraries too: the loader maps them so.
CODE = READ | EXECUTE
PACKAGES = ("analytics", "jobs", "orgs", "predictor", "smartqueue")
SYSTEM = (
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
)
# What libraries look at to know how many processors and how much memory there are.
SURROUNDINGS = (
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
)
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
SECCOMP_ALLOW, SECCOMP_KILL, SECCOMP_EPERM = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM
# By machine: its audit number, its capset, and the calls that are refused: socket connect socketpair bind, execve
# execveat, ptrace process_vm_readv process_vm_writev, mount unshare setns, bpf io_uring_setup userfaultfd keyctl
# perf_event_open open_by_handle_at.
MACHINES: dict[str, tuple[int, int, tuple[int, ...]]] = {
    "x86_64": (
        0xC000003E,
        126,
        (41, 42, 53, 49, 59, 322, 101, 310, 311, 165, 272, 308, 321, 425, 323, 250, 298, 304),
    ),
    "aarch64": (
        0xC00000B7,
        91,
        (198, 203, 199, 200, 221, 281, 117, 270, 271, 40, 97, 268, 280, 425, 282, 219, 241, 265),
    ),
}  # fmt: skip
# x86_64 has a second set of numbers, which would lead past the filter.
X32_BIT = 0x40000000


class NotConfined(Exception):
    """This host lacks what it takes; the message says what."""


def confine(folder: Path) -> None:
    """For this process, once and for good, while it has one thread. Raises NotConfined."""
    parent = os.getppid()
    os.chdir(folder)
    scrub(folder)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    leave_network()
    restrict_files(folder)
    drop_capabilities()
    filter_calls()
    # forgotten by the kernel when the user namespace changes
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def scrub(folder: Path) -> None:
    """Libraries write what they must beside into the folder."""
    kept = {name: value for name, value in os.environ.items() if name.endswith("_NUM_THREADS")}
    os.environ.clear()
    os.environ.update(kept, HOME=str(folder), TMPDIR=str(folder), LANG="C.UTF-8", PATH="/usr/bin:/bin")


def leave_network() -> None:
    """Into a network of its own that has nothing; who is not root does it in a user namespace."""
    # nobody is mapped into it: files are still opened as who we were
    flags = CLONE_NEWNET | CLONE_NEWIPC | (CLONE_NEWUSER if os.geteuid() else 0)
    if libc().unshare(flags) != 0:
        raise NotConfined(f"no network namespace can be made: {os.strerror(ctypes.get_errno())}.")


def restrict_files(folder: Path) -> None:
    version = landlock_version()
    if version < 1:
        raise NotConfined("the kernel has no Landlock.")
    files = FIRST_FILE_RIGHTS
    files |= REFER if version >= 2 else 0
    files |= TRUNCATE if version >= 3 else 0
    files |= IOCTL_DEV if version >= 5 else 0
    # TCP from version 4 on, signals and abstract sockets to those outside from 6 on; an older kernel takes fewer words
    attributes = struct.pack("QQQ", files, 0b11 if version >= 4 else 0, 0b11 if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    rules = called(LANDLOCK_CREATE, attributes, size, 0)
    for path, rights in allowed(folder):
        allow(rules, path, rights & files)
    called(LANDLOCK_RESTRICT, rules, 0)
    os.close(rules)


def allowed(folder: Path) -> Iterator[tuple[str, int]]:
    yield str(folder), FIRST_FILE_RIGHTS | REFER | TRUNCATE
    for code in (*SYSTEM, sys.prefix, sys.base_prefix, *(str(settings.BASE_DIR / name) for name in PACKAGES)):
        yield code, CODE
    for path in SURROUNDINGS:
        yield path, READ
    for path in DEVICES:
        yield path, READ_FILE | WRITE_FILE


def allow(rules: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not os.path.isdir(path):
        rights &= OF_FILES
    try:
        called(LANDLOCK_ADD, rules, 1, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)


def landlock_version() -> int:
    """0 where the kernel has none."""
    return max(int(libc().syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)), 0)


def drop_capabilities() -> None:
    """capset(2), version 3: two times effective, permitted, inheritable."""
    called(machine()[1], struct.pack("Ii", 0x20080522, 0), struct.pack("6I", *[0] * 6))


def filter_calls() -> None:
    """A program for the kernel (seccomp(2)), as instructions of code, jumps if true and false, and operand."""
    audit_number, _, refused = machine()
    load, equal, at_least, answer = 0x20, 0x15, 0x35, 0x06
    program = [
        (load, 0, 0, 4),
        (equal, 1, 0, audit_number),
        (answer, 0, 0, SECCOMP_KILL),
        (load, 0, 0, 0),
        (at_least, len(refused) + 1, 0, X32_BIT),
        *((equal, len(refused) - number, 0, call) for number, call in enumerate(refused)),
        (answer, 0, 0, SECCOMP_ALLOW),
        (answer, 0, 0, SECCOMP_EPERM),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in program))
    order = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code))
    if libc().prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, order, 0, 0) != 0:
        raise NotConfined(f"no filter of system calls can be set: {os.strerror(ctypes.get_errno())}.")


def machine() -> tuple[int, int, tuple[int, ...]]:
    try:
        return MACHINES[platform.machine()]
    except KeyError:
        raise NotConfined(f"the system calls of {platform.machine()} are not known here.") from None


def called(number: int, *arguments: int | bytes) -> int:
    """A system call the C library has no name for."""
    words = [ctypes.c_size_t(one) if isinstance(one, int) else one for one in arguments]
    answer = int(libc().syscall(number, *words))
    if answer < 0:
        raise NotConfined(f"system call {number} failed: {os.strerror(ctypes.get_errno())}.")
    return answer


@cache
def libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
