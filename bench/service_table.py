#!/usr/bin/env python3
"""What running the service costs: start-up time, bytes on the wire per verification, latency and rate with several numbers of
clients, a batch over two servers and one, cancel to idle, drain time under load, memory after many jobs. A real espalierd,
real clients, real sockets.

    service_table.py BUILD-FOLDER [--jobs 10000] [--rounds 100] [--starts 20] [--seconds 10] [--instances 48] [--csv FILE]

Prints one table in Markdown, with the load of the machine before and after, and writes it as CSV too. Needs Python and the two
programs, and for the latency the target service_latency; the jobs are submitted over one connection by a process that speaks
gRPC by hand (tests/service/raw_http2.py).
"""

import argparse
import csv
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/service"))
import harness  # noqa: E402
import raw_http2 as h2  # noqa: E402

MIB = 1 << 20


def part(values, share):
    return sorted(values)[int(share * (len(values) - 1))]


ROWS = []


def tell(name, text):
    """One row of the table; shown on stderr at once, so that a long run can be watched."""
    ROWS.append((name, text))
    print(f"{name:32} {text}", file=sys.stderr, flush=True)


def gauge(server, name):
    text = urllib.request.urlopen(f"http://{server.http}/metrics", timeout=30).read().decode()
    return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(name)), 0.0)


def wait_for(server, name, value, pause=0.002):
    while gauge(server, name) != value:
        time.sleep(pause)


def tiny_request():
    network = pathlib.Path(harness.model("tiny_max.onnx")).read_bytes()
    query = pathlib.Path(harness.query("tiny_max_unsat.vnnlib")).read_bytes()
    return h2.field(1, h2.field(2, network)) + h2.field(2, h2.field(2, query))


def start_up(folder, count):
    seconds = []
    for _ in range(count):
        with harness.Server("--listen", f"unix:{folder}/socket", "--data-dir", f"{folder}/start") as server:
            seconds.append(server.ready_after_s)
    tell("start-up, ms", f"p50 {1e3 * part(seconds, 0.5):.0f}  most {1e3 * max(seconds):.0f}  ({count} starts, data directory)")


def drain(folder, count):
    """SIGTERM while two endless searches run and six wait."""
    seconds = []
    for index in range(count):
        with harness.Server("--listen", f"unix:{folder}/socket", "--http-address", "127.0.0.1:0", "--drain-timeout", "2",
                            "--data-dir", f"{folder}/drain{index}") as server:
            running = [subprocess.Popen(
                [harness.ESPALIER, "verify", harness.endless_query(folder), "--network", harness.model("digits.onnx"),
                 "--no-attack", "--threads", "1", "--timeout", "100", "--server", server.address],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(8)]
            while gauge(server, "espalier_queue_running") < 2 or gauge(server, "espalier_queue_waiting") < 6:
                time.sleep(0.05)
            start = time.monotonic()
            server.signal(signal.SIGTERM)
            code = server.wait(30)
            seconds.append(time.monotonic() - start)
            for process in running:
                process.wait()
            assert code == 0, code
    tell("drain under load, s", f"most {max(seconds):.2f} of --drain-timeout 2  ({count} times, 2 searches run, 6 wait)")


def cancel_to_idle(folder, count):
    seconds = []
    with harness.Server("--listen", f"unix:{folder}/socket", "--http-address", "127.0.0.1:0", "--concurrency", "1") as server:
        for _ in range(count):
            client = subprocess.Popen(
                [harness.ESPALIER, "verify", harness.endless_query(folder), "--network", harness.model("digits.onnx"),
                 "--no-attack", "--threads", "1", "--quiet", "--server", server.address],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait_for(server, "espalier_queue_running", 1)
            time.sleep(0.1)
            start = time.monotonic()
            client.kill()
            wait_for(server, "espalier_queue_running", 0)
            seconds.append(time.monotonic() - start)
            client.wait()
    tell("client killed to idle, ms", f"p50 {1e3 * part(seconds, 0.5):.0f}  p99 {1e3 * part(seconds, 0.99):.0f}  "
         f"most {1e3 * max(seconds):.0f}  ({count} times)")


def memory_after_jobs(folder, count):
    request = h2.message(h2.field(3, tiny_request()))
    with harness.Server("--listen", f"unix:{folder}/socket", "--http-address", "127.0.0.1:0", "--data-dir", f"{folder}/jobs",
                        "--max-jobs", str(count), log_level="off") as server:
        before = server.rss()
        start = time.monotonic()
        done = 0
        while done < count:
            connection = h2.open_connection(server.address, 60)
            reader = threading.Thread(target=h2.drain, args=(connection, 1 << 40), daemon=True)
            reader.start()
            some = min(200, count - done)
            for index in range(some):
                connection.sendall(h2.call(2 * index + 1, "/espalier.v1.Espalier/Submit", request))
            done += some
            while gauge(server, 'espalier_calls_total{method="Submit",code="OK"}') < done:
                time.sleep(0.01)
            connection.shutdown(socket.SHUT_RDWR)
            reader.join()
            connection.close()
        while gauge(server, 'espalier_jobs_ended_total{end="done"}') < count:
            time.sleep(0.1)
        seconds = time.monotonic() - start
        disk = sum(path.stat().st_size for path in pathlib.Path(f"{folder}/jobs").glob("espalier.db*"))
        tell(f"memory after {count} jobs, MiB", f"{before / MIB:.0f} -> {server.rss() / MIB:.0f}; database {disk / MIB:.1f}; "
             f"{count / seconds:.0f} jobs/s")


class Meter:
    """A relay that counts what passes between a client and the server."""

    def __init__(self, address):
        self.target = address
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.up = self.down = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client = self.listener.accept()[0]
            server = h2.connect(self.target, None)
            threading.Thread(target=self._pump, args=(client, server, "up"), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, "down"), daemon=True).start()

    def _pump(self, source, sink, way):
        try:
            while data := source.recv(65536):
                setattr(self, way, getattr(self, way) + len(data))
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other side has gone


def wire(folder):
    with harness.Server("--listen", f"unix:{folder}/socket") as server:
        for name, network, query in [("tiny", "tiny_max.onnx", "tiny_max_unsat.vnnlib"),
                                     ("digits", "digits.onnx", "digits_by_splits.vnnlib")]:
            meter = Meter(server.address)
            done = harness.espalier("verify", harness.query(query), "--network", harness.model(network), "--quiet", "--server",
                                    meter.address)
            assert done.returncode == 0, done.stderr
            time.sleep(0.2)
            size = os.path.getsize(harness.query(query)) + os.path.getsize(harness.model(network))
            tell(f"bytes on the wire, {name}", f"{meter.up} there, {meter.down} back; the two files have {size}")


def latency(build, seconds):
    program = build / "bench/service_latency"
    if not program.exists():
        tell("latency of a trivial verify", "not measured: the target service_latency is not built")
        return
    for clients in (1, 16, 128):
        done = subprocess.run([program, str(clients), str(seconds)], capture_output=True, text=True)
        found = re.search(r"answers (\d+)  failed (\d+)  per second (\d+)  ms: p50 (\S+)  p99 (\S+)  most (\S+)", done.stdout)
        assert found, done.stdout + done.stderr
        answers, failed, rate, p50, p99, most = found.groups()
        tell(f"trivial verify, {clients} clients, ms", f"p50 {p50}  p99 {p99}  most {most}; {rate}/s  ({answers} answers, {failed} failed)")


def batch(folder, count):
    """The same list over one server and over two, each with one verification at a time on one processor."""
    rows = [(harness.model("digits.onnx"), harness.query(name), 60) for name in
            ("digits_by_bounds.vnnlib", "digits_by_splits.vnnlib", "digits_counterexample.vnnlib")]
    with open(f"{folder}/list.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows[i % len(rows)] for i in range(count))
    seconds = []
    flags = ("--concurrency", "1", "--threads", "1")
    with harness.Server("--listen", "127.0.0.1:0", *flags) as a, harness.Server("--listen", "127.0.0.1:0", *flags) as b:
        for name, addresses in (("warm", f"{a.address},{b.address}"), ("one", a.address), ("two", f"{a.address},{b.address}")):
            start = time.monotonic()
            done = harness.espalier("batch", f"{folder}/list.csv", "--results-dir", f"{folder}/batch-{name}", "--quiet", "--server",
                                    addresses, seconds=3600)
            assert done.returncode == 0, done.stderr
            seconds.append(time.monotonic() - start)
    tell(f"batch of {count} instances, s", f"one server {seconds[1]:.1f}  two {seconds[2]:.1f}  ({os.cpu_count()} processors)")


def publish(path):
    print("| figure | value |\n|---|---|")
    for row in ROWS:
        print("| " + " | ".join(row) + " |")
    if path:
        with open(path, "w", newline="") as file:
            csv.writer(file).writerows([("figure", "value"), *ROWS])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--jobs", type=int, default=10000)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=10, help="of measured calls for each number of clients")
    parser.add_argument("--instances", type=int, default=48, help="of the batch")
    parser.add_argument("--csv", type=pathlib.Path, help="the table as CSV too")
    arguments = parser.parse_args()
    os.environ["OMP_WAIT_POLICY"] = "passive"
    harness.ROOT, harness.ESPALIERD, harness.ESPALIER = ROOT, arguments.build / "espalierd", arguments.build / "espalier"
    tell("load before", " ".join(f"{value:.1f}" for value in os.getloadavg()))
    with tempfile.TemporaryDirectory() as folder:
        start_up(folder, arguments.starts)
        wire(folder)
        latency(arguments.build, arguments.seconds)
        batch(folder, arguments.instances)
        cancel_to_idle(folder, arguments.rounds)
        drain(folder, 5)
        memory_after_jobs(folder, arguments.jobs)
    tell("load after", " ".join(f"{value:.1f}" for value in os.getloadavg()))
    publish(arguments.csv)


if __name__ == "__main__":
    main()
