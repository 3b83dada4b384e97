"""Runs a command and writes to a descriptor what it took: seconds of wall and CPU, peak bytes of its largest process.

A process of its own, because the kernel counts into a command's peak what the process was that started it: a small
one has to. `python -I -S bench/peak.py DESCRIPTOR COMMAND ...`.
"""

import os
import sys
import time

if __name__ == "__main__":
    unit = 1 if os.uname().sysname == "Darwin" else 1024
    answer = int(sys.argv[1])
    os.set_inheritable(answer, False)
    started = time.perf_counter()
    pid = os.spawnvp(os.P_NOWAIT, sys.argv[2], sys.argv[2:])
    _, status, usage = os.wait4(pid, 0)
    wall_s = time.perf_counter() - started
    os.write(answer, f"{wall_s} {usage.ru_utime + usage.ru_stime} {usage.ru_maxrss * unit}".encode())
    sys.exit(abs(os.waitstatus_to_exitcode(status)))
