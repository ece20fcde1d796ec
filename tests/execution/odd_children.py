"""A child process that does what the variable ``DOES`` says, for tests."""

import ctypes
import os
import struct
import subprocess
import sys
import time

from archsearch.execution.child import connected


def half_a_message(pipe):
    pipe.send("begun")
    os.write(pipe.fileno(), struct.pack("!i", 5_000_000) + b"x" * 1000)
    time.sleep(600)


def keeps_the_lock(pipe):
    """It starts a process, and then lets no other thread of its own run."""
    pipe.send(subprocess.Popen(["sleep", "600"]).pid)
    ctypes.PyDLL(None).sleep(600)


def tells_its_environment(pipe):
    pipe.send(dict(os.environ))
    time.sleep(600)


if __name__ == "__main__":
    globals()[os.environ["DOES"]](connected(*map(int, sys.argv[1:]))[0])
