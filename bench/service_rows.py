"""The measurements of service_table.py, one function a figure; each tells its rows to a Table."""

import csv
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import harness
import raw_http2 as h2
from service_kills import kills

MIB = 1 << 20


class Table:
    """Rows of (figure, value, how it was measured); shown on stderr at once, so that a long run can be watched."""

    def __init__(self):
        self.rows = []

    def tell(self, figure, value, how):
        self.rows.append((figure, value, how))
        print(f"{figure}: {value}  ({how})", file=sys.stderr, flush=True)


def part(values, share):
    return sorted(values)[int(share * (len(values) - 1))]


def spread(values, scale=1, digits=0):
    """p50, p99 and the largest."""
    return "  ".join(f"{name} {scale * part(values, share):.{digits}f}" for name, share in
                     (("p50", 0.5), ("p99", 0.99), ("most", 1.0)))


def gauge(server, name):
    text = urllib.request.urlopen(f"http://{server.http}/metrics", timeout=100).read().decode()
    return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(name)), 0.0)


def wait_for(condition, pause=0.002):
    while not condition():
        time.sleep(pause)


def serve(folder, *flags, **more):
    return harness.Server("--listen", f"unix:{folder}/socket", "--http-address", "127.0.0.1:0", *flags, **more)


def search(folder, server):
    """A client whose search runs until somebody ends it."""
    return subprocess.Popen(
        [harness.ESPALIER, "verify", harness.endless_query(folder), "--network", harness.model("digits.onnx"), "--no-attack",
         "--threads", "1", "--quiet", "--timeout", "3000", "--server", server.address],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def start_up(table, folder, arguments):
    seconds = []
    for _ in range(arguments.starts):
        with harness.Server("--listen", f"unix:{folder}/socket", "--data-dir", f"{folder}/start") as server:
            seconds.append(server.ready_after_s)
    table.tell("start-up, ms", spread(seconds, 1e3), f"{arguments.starts} starts with a data directory, from exec to listening")


def wire(table, folder, _):
    with harness.Server("--listen", f"unix:{folder}/socket") as server:
        for network, query in [("tiny_max.onnx", "tiny_max_unsat.vnnlib"), ("digits.onnx", "digits_by_splits.vnnlib")]:
            meter = h2.Relay(server.address)
            done = harness.espalier("verify", harness.query(query), "--network", harness.model(network), "--quiet", "--server",
                                    meter.address)
            assert done.returncode == 0, done.stderr
            time.sleep(0.5)
            size = os.path.getsize(harness.query(query)) + os.path.getsize(harness.model(network))
            table.tell("bytes on the wire per verify", f"{meter.up} there, {meter.down} back",
                       f"{query}, whose two files have {size} bytes; headers of HTTP/2 included")


def latency(table, _, arguments):
    program = arguments.build / "bench/service_latency"
    if not program.exists():
        sys.exit(f"{program} is not there: build the target service_latency")
    for clients in (1, 16, 128):
        for name, flags in (("in workers", ()), ("in the server's process", ("--isolation", "none"))):
            done = subprocess.run([program, str(clients), str(arguments.seconds), *flags], capture_output=True, text=True)
            found = re.search(r"answers (\d+)  failed (\d+)  per second (\d+)  ms: p50 (\S+)  p99 (\S+)  most (\S+)", done.stdout)
            assert found, done.stdout + done.stderr
            answers, failed, rate, p50, p99, most = found.groups()
            assert failed == "0", done.stdout
            table.tell(f"trivial verify, {clients} client{'s'[:clients > 1]}, {name}, ms",
                       f"p50 {p50}  p99 {p99}  most {most}; {rate} answers/s",
                       f"warm server, Unix socket, {answers} answers in {arguments.seconds:.0f} s")


def cancel_to_idle(table, folder, arguments):
    """A client that is killed, and a job that is cancelled, while they search: until the server has nothing to do."""
    for name in ("client killed", "job cancelled"):
        seconds = []
        with serve(folder, "--concurrency", "1", "--data-dir", f"{folder}/cancel") as server:
            for _ in range(arguments.rounds):
                seconds.append(end_one(folder, server, name))
        table.tell(f"{name} to idle, ms", spread(seconds, 1e3), f"{arguments.rounds} times; idle as /metrics shows it")


def end_one(folder, server, name):
    common = ("--server", server.address)
    client = job = None
    if name == "client killed":
        client = search(folder, server)
    else:
        job = harness.espalier("submit", harness.endless_query(folder), "--network", harness.model("digits.onnx"), "--no-attack",
                               "--threads", "1", "--timeout", "3000", *common).stdout.strip()
    wait_for(lambda: gauge(server, "espalier_queue_running") == 1)
    time.sleep(0.2)
    if client is not None:
        start = time.monotonic()
        client.kill()
    else:
        connection = h2.open_connection(server.address)
        request = h2.call(1, "/espalier.v1.Espalier/Cancel", h2.message(h2.field(1, job.encode())))
        start = time.monotonic()
        connection.sendall(request)
    wait_for(lambda: gauge(server, "espalier_queue_running") == 0)
    seconds = time.monotonic() - start
    if client is not None:
        client.wait()
    else:
        connection.close()
    return seconds


def drain(table, folder, arguments):
    """SIGTERM while two endless searches run and six wait."""
    seconds = []
    for index in range(arguments.drains):
        with serve(folder, "--drain-timeout", "2", "--data-dir", f"{folder}/drain{index}") as server:
            clients = [search(folder, server) for _ in range(8)]
            wait_for(lambda: gauge(server, "espalier_queue_running") == 2 and gauge(server, "espalier_queue_waiting") == 6, 0.05)
            start = time.monotonic()
            server.signal(signal.SIGTERM)
            code = server.wait()
            seconds.append(time.monotonic() - start)
            for client in clients:
                client.wait()
            assert code == 0, code
    table.tell("drain under load, s", spread(seconds, 1, 2),
               f"SIGTERM with --drain-timeout 2, two searches run and six wait; {arguments.drains} times, status 0")


def submit_many(server, count):
    """Jobs over connections of a hundred calls, whose bytes fit into the window that HTTP/2 starts with; seconds until all have
    ended."""
    network = pathlib.Path(harness.model("tiny_max.onnx")).read_bytes()
    query = pathlib.Path(harness.query("tiny_max_unsat.vnnlib")).read_bytes()
    request = h2.message(h2.field(3, h2.field(1, h2.field(2, network)) + h2.field(2, h2.field(2, query))))
    start, done = time.monotonic(), 0
    while done < count:
        connection = h2.open_connection(server.address, 600)
        reader = threading.Thread(target=h2.drain, args=(connection, 1 << 40), daemon=True)
        reader.start()
        some = min(100, count - done)
        for index in range(some):
            connection.sendall(h2.call(2 * index + 1, "/espalier.v1.Espalier/Submit", request))
        done += some
        wait_for(lambda: gauge(server, 'espalier_calls_total{method="Submit",code="OK"}') == done, 0.01)
        connection.shutdown(socket.SHUT_RDWR)
        reader.join()
        connection.close()
    wait_for(lambda: gauge(server, 'espalier_jobs_ended_total{end="done"}') == count, 0.1)
    return time.monotonic() - start


def memory_after_jobs(table, folder, arguments):
    count, data = arguments.jobs, f"{folder}/jobs"

    def disk():
        return sum(path.stat().st_size for path in pathlib.Path(data).glob("espalier.db*")) / MIB

    with serve(folder, "--data-dir", data, "--max-jobs", str(count), log_level="off") as server:
        before = server.rss()
        seconds = submit_many(server, count)
        table.tell(f"server's memory after {count} jobs, MiB", f"{before / MIB:.0f} before, {server.rss() / MIB:.0f} after",
                   f"tiny jobs with their own files in the request, {count / seconds:.0f} a second; database {disk():.1f} MiB")
    with serve(folder, "--data-dir", data, "--keep-jobs", "100", log_level="info") as server:
        ready, start = server.ready_after_s, server.rss()
        assert server.wait_for_log(f"event=forgotten jobs={count - 100}"), server.log()
        time.sleep(6)
        listed = len(harness.espalier("jobs", "--json", "--limit", str(count), "--server", server.address).stdout.splitlines())
        table.tell("the same folder with --keep-jobs 100, MiB", f"{start / MIB:.0f} at the start, {server.rss() / MIB:.0f} after",
                   f"started in {1e3 * ready:.0f} ms, {listed} jobs left, database {disk():.1f} MiB")


def instances(arguments):
    """Lists by name: (network, query, limit) with absolute paths."""
    models = harness.ROOT / "models"
    with open(models / "index.csv") as file:
        rows = [(models / row["network"], models / row["query"], 60) for row in csv.DictReader(file)]
    lists = {f"models/, {arguments.repeat} times": rows * arguments.repeat}
    if arguments.bench:
        with open(arguments.bench / "instances.csv") as file:
            quick = [row for row in csv.DictReader(file) if row["tier"] == "quick" and row["benchmark"] in arguments.families]
        lists[f"instances of {len(arguments.families)} families"] = [
            (arguments.bench / row["onnx"], arguments.bench / row["vnnlib"], 60) for row in quick]
    return lists


def batch(table, folder, arguments):
    """The same lists over one server and over two, each with one verification at a time on one processor."""
    flags = ("--concurrency", "1", "--threads", "1")
    for number, (name, rows) in enumerate(instances(arguments).items()):
        with open(f"{folder}/list{number}.csv", "w", newline="") as file:
            csv.writer(file).writerows(rows)
        seconds, known = [], 0
        with harness.Server("--listen", "127.0.0.1:0", *flags) as a, harness.Server("--listen", "127.0.0.1:0", *flags) as b:
            both = f"{a.address},{b.address}"
            for way, addresses in (("warm", both), ("one", a.address), ("two", both), ("one again", a.address), ("two again", both)):
                start = time.monotonic()
                done = harness.espalier("batch", f"{folder}/list{number}.csv", "--results-dir", f"{folder}/batch-{number}-{way}",
                                        "--quiet", "--json", "--server", addresses, seconds=7200)
                assert done.returncode == 0, done.stderr
                seconds.append(time.monotonic() - start)
                answers = [row["result"] for row in json.loads(done.stdout)["records"]]
                known = sum(answer in ("sat", "unsat") for answer in answers)
        one, two = min(seconds[1], seconds[3]), min(seconds[2], seconds[4])
        table.tell(f"batch, {name}, s", f"one server {one:.1f}  two {two:.1f}  (x{one / two:.2f})",
                   f"{len(rows)} instances, {known} decided; each server one instance at a time on one thread; the better of two runs")


def attacks(table, _, arguments):
    """The suite of attacks, with as many connections as asked for."""
    environment = {**os.environ, "ESPALIER_ATTACK_CONNECTIONS": str(arguments.connections)}
    script = harness.ROOT / "tests/service/attack_test.py"
    done = subprocess.run([sys.executable, "-B", script, harness.ROOT, harness.ESPALIERD, harness.ESPALIER], capture_output=True,
                          text=True, env=environment)
    text = done.stdout + done.stderr
    ran = int(re.search(r"Ran (\d+) tests", text)[1])
    failed = sum(int(number) for number in re.findall(r"(?:failures|errors)=(\d+)", text))
    memory = {name: int(after) for name, after in re.findall(r"(\w+): memory \d+ -> (\d+) MiB", text)}
    most = max(memory, key=memory.get)
    opened = re.search(r"(\d+) connections", text)[1]
    table.tell("attacks survived", f"{ran - failed} of {ran}",
               f"{opened} connections at once; the server's memory at most {memory[most]} MiB ({most}), "
               f"{memory.get('test_connections', 0)} with the connections")


def killed(table, folder, arguments):
    value, how = kills(folder, arguments.kills)
    table.tell("under random kills", value, how)


MEASUREMENTS = {"start": start_up, "wire": wire, "latency": latency, "batch": batch, "cancel": cancel_to_idle, "drain": drain,
                "memory": memory_after_jobs, "kills": killed, "attacks": attacks}
