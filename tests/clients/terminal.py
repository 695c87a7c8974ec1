"""Drives a program on a terminal. argv: JSON {argv, rows, columns, steps: [[text to wait for, text to send], ...], timeout}.
Prints JSON {output, code}. Part of the tests of real clients: Node has no pseudo-terminals of its own."""

import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios
import time


def read_until(fd, seen, wanted, deadline):
    """Reads until `wanted` came after what was seen before; None when the program ended."""
    start = len(seen)
    while wanted is None or wanted.encode() not in seen[start:]:
        left = deadline - time.time()
        if left <= 0:
            raise TimeoutError(f"waited for {wanted!r}, got {seen[start:]!r}")
        if not select.select([fd], [], [], left)[0]:
            continue
        try:
            data = os.read(fd, 65536)
        except OSError:
            return False
        if not data:
            return False
        seen += data
    return True


def main():
    plan = json.loads(sys.argv[1])
    pid, fd = pty.fork()
    if pid == 0:
        # The window has its size before the program asks for it.
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", plan["rows"], plan["columns"], 0, 0))
        os.execvp(plan["argv"][0], plan["argv"])
    deadline = time.time() + plan["timeout"]
    seen = bytearray()
    try:
        for wanted, send in plan["steps"]:
            if isinstance(send, dict):
                size = struct.pack("HHHH", send["rows"], send["columns"], 0, 0)
                read_until(fd, seen, wanted, deadline)
                fcntl.ioctl(fd, termios.TIOCSWINSZ, size)
                continue
            if not read_until(fd, seen, wanted, deadline):
                break
            os.write(fd, send.encode())
        read_until(fd, seen, None, deadline)
    except TimeoutError as error:
        os.kill(pid, 9)
        seen += f"<<{error}>>".encode()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print(json.dumps({"output": seen.decode("utf8", "replace"), "code": code}))


main()
