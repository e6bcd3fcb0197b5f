"""`python -m tests.support.hostile_process MIB`: a sandbox process that foreign bytes took over.

It runs the code that it is sent, after it was confined like every process of the launcher.
"""

import ctypes
import os
import signal
import socket
import subprocess
import threading
from typing import Any

from shared.sandbox.channel import Head
from shared.sandbox.server import serve

TOOLS = {
    "ctypes": ctypes,
    "os": os,
    "signal": signal,
    "socket": socket,
    "subprocess": subprocess,
    "threading": threading,
}


def run(request: Head, _data: bytes) -> tuple[Head, bytes]:
    """Run the code, and return what it assigns to `stolen`, or the name of its error."""
    names: dict[str, Any] = dict(TOOLS)
    try:
        exec(request["code"], names)
    except Exception as error:  # noqa: BLE001 (whatever the attack meets)
        return {"error": type(error).__name__, "errno": getattr(error, "errno", 0)}, b""
    return {"stolen": names.get("stolen")}, b""


if __name__ == "__main__":
    serve(run)
