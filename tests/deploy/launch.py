"""What the checks of deploy/ and docker/ share: starting a server the way a file says, and the text of the files."""

import os
import pathlib
import signal
import subprocess
import sys

SKIPPED = 77
PORT = "50551"


class Failed(Exception):
    pass


def expect(condition, words):
    if not condition:
        raise Failed(words)


def call(arguments, **settings):
    return subprocess.run([str(a) for a in arguments], capture_output=True, text=True, timeout=120, **settings)


def serve(programs, arguments, folder):
    """Starts espalierd with arguments of a file, in other places; it is healthy, takes a query, and drains with 0."""
    places = {f"0.0.0.0:{PORT}": "127.0.0.1:0", "/run/espalier": str(folder), "/var/lib/espalier": f"{folder}/data"}
    for old, new in places.items():
        arguments = [a.replace(old, new) for a in arguments]
    command = [str(programs / "espalierd"), *arguments, "--log-level", "error"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            line = server.stdout.readline()
            expect(line.startswith("listening on "), f"{' '.join(command)}: {line}{server.poll()}")
            address = line.removeprefix("listening on ").strip()
            health = call([programs / "espalier", "health", "--server", address])
            expect(health.stdout == "serving\n", f"{' '.join(command)}: {health.stdout}{health.stderr}")
            server.send_signal(signal.SIGTERM)
            expect(server.wait(60) == 0, f"{' '.join(command)} ended with {server.returncode}")
        finally:
            server.kill()


def batch(arguments, environment):
    """Runs a command that holds `espalier batch`; its exit status is 0."""
    done = call(arguments, env={**os.environ, **environment})
    expect(done.returncode == 0, f"{arguments} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def main(checks, root, programs):
    """Runs every check, says what failed."""
    failed = 0
    for check in checks:
        try:
            check(pathlib.Path(root).resolve(), pathlib.Path(programs).resolve())
            print(f"{check.__name__}: ok")
        except Failed as problem:
            failed += 1
            print(f"{check.__name__}: {problem}")
    sys.exit(1 if failed else 0)
