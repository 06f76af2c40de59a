"""The seccomp profile of sessions that may nest: ``fuse`` and ``userns``.

Engines forbid user namespaces and mounts to everybody by their default profile, and CAP_SYS_ADMIN,
the usual way out, is nearly root on the host. This profile gives neither: it lets a process make a
user namespace and mount inside it, where the kernel checks every mount against that namespace, and
goes on refusing what the engines' own profiles refuse otherwise (Docker's documentation, "Seccomp
security profiles for Docker"). ``python -m`` of this module prints it for the kubelets' folder.
"""

from __future__ import annotations

import json
import sys
from typing import Any

REFUSED = (
    "_sysctl", "acct", "add_key", "bpf", "clock_adjtime", "clock_settime", "create_module",
    "delete_module", "fanotify_init", "finit_module", "get_kernel_syms", "init_module",
    "io_uring_enter", "io_uring_register", "io_uring_setup", "ioperm", "iopl", "kcmp",
    "kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie", "move_pages", "nfsservctl",
    "open_by_handle_at", "perf_event_open", "query_module", "quotactl", "quotactl_fd", "reboot",
    "request_key", "settimeofday", "stime", "swapoff", "swapon", "sysfs", "syslog", "uselib",
    "userfaultfd", "ustat", "vhangup", "vm86", "vm86old",
)  # fmt: skip
"""Engines refuse these, and making a user namespace or a mount needs none of them."""

_EPERM = 1
_AF_VSOCK = 40


def nesting() -> dict[str, Any]:
    """The profile, in the form that Docker, containerd and CRI-O read."""
    refuse = {"action": "SCMP_ACT_ERRNO", "errnoRet": _EPERM}
    vsock = {"index": 0, "value": _AF_VSOCK, "op": "SCMP_CMP_EQ"}
    return {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [
            {"names": list(REFUSED), **refuse},
            {"names": ["socket"], "args": [vsock], **refuse},
        ],
    }


def text() -> str:
    """The profile as one line of JSON."""
    return json.dumps(nesting(), separators=(",", ":"), sort_keys=True)


if __name__ == "__main__":
    sys.stdout.write(text() + "\n")
