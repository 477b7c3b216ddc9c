#!/usr/bin/env python3
"""Time per domain and memory while the number of open domains grows.

  python bench/growth.py ESPALIER QUERY.vnnlib MODEL.onnx [options of `espalier verify`]

Runs one verification (take one that does not end, with a --timeout) and prints a line each time the number of open
domains has doubled: seconds, domains so far, microseconds a domain since the last line, resident memory of the private
server in MiB. The last line has the highest memory seen.
"""

import re
import subprocess
import sys
import threading
import time
from pathlib import Path

PROGRESS = re.compile(r"([\d.]+) s\s+\S+-bab\s.*open (\d+)\s+closed (\d+)\s+splits (\d+)")


def server_of(client):
    """The private server is the client's child."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rsplit(")", 1)
        except OSError:
            continue
        if fields[1].split()[1] == str(client):
            return status.parent
    return None


def resident_mib(folder):
    try:
        return int((folder / "statm").read_text().split()[1]) / 256
    except (OSError, TypeError, IndexError):  # it has ended, or has not begun
        return 0.0


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    command = [sys.argv[1], "verify", sys.argv[2], "--network", sys.argv[3], *sys.argv[4:]]
    client = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    highest = [0.0]

    def watch():
        while client.poll() is None:
            highest[0] = max(highest[0], resident_mib(server_of(client.pid)))
            time.sleep(0.5)

    watcher = threading.Thread(target=watch)
    watcher.start()
    print(f"{'open':>10} {'seconds':>9} {'domains':>10} {'us/domain':>10} {'MiB':>8}")
    wanted, seconds_before, domains_before = 1000, 0.0, 0
    for line in client.stderr:
        match = PROGRESS.search(line)
        if not match or int(match[2]) < wanted:
            continue
        seconds, domains = float(match[1]), 2 * int(match[4])
        each = 1e6 * (seconds - seconds_before) / max(domains - domains_before, 1)
        print(f"{match[2]:>10} {seconds:9.1f} {domains:10} {each:10.1f} {resident_mib(server_of(client.pid)):8.0f}",
              flush=True)
        seconds_before, domains_before = seconds, domains
        while wanted <= int(match[2]):
            wanted *= 2
    verdict = client.stdout.read().split()
    client.wait()
    watcher.join()
    print(f"{verdict[0] if verdict else 'no verdict'}; highest memory {highest[0]:.0f} MiB")


if __name__ == "__main__":
    main()
