"""Jobs under random kills of the server, its workers and its clients: what was lost, what came twice, what is missing.

Several jobs are always open; each has a client of its own, `espalier submit` and then `espalier watch --json`, which is started
again when it was killed: with the same request id, and from the event after the last one that it has seen whole. The server is
started again after each of its kills. A job whose worker was killed ends with that error and is submitted once more.
"""

import json
import os
import pathlib
import random
import signal
import subprocess
import threading
import time
import uuid

import harness

# Unsat, by some ten thousand domains when bounds are made so weak: seconds, so that kills meet it.
LONG = ["--no-attack", "--threads", "1", "--timeout", "3000"] + [
    word for option in ("alpha_iterations=0", "intermediate_iterations=0", "split_iterations=1", "batch=2")
    for word in ("--option", option)]
OPEN_JOBS = 8


def long_query(folder):
    text = pathlib.Path(harness.endless_query(folder)).read_text().replace("Y_0 -24.0", "Y_0 -101.0")
    path = pathlib.Path(folder) / "long.vnnlib"
    path.write_text(text)
    return str(path)


class Job(threading.Thread):
    """One job's client, over as many processes as the kills leave of it."""

    def __init__(self, address, work, answer):
        super().__init__(daemon=True)
        self.address, self.work, self.answer = address, work, answer
        self.request_id = uuid.uuid4().hex
        self.id, self.events = None, []
        self.process = None
        self.ended = threading.Event()

    def _call(self, *command):
        """The lines that the process wrote whole before it ended."""
        self.process = subprocess.Popen([harness.ESPALIER, *command, "--server", self.address], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        for line in self.process.stdout:
            if line.endswith(b"\n"):
                yield line.decode()
        self.process.wait()

    def run(self):
        while self.id is None:
            for line in self._call("submit", *self.work, "--request-id", self.request_id):
                self.id = line.strip()
        while not self.finished():
            for line in self._call("watch", self.id, "--json", "--patience", "1000", "--from", str(len(self.events) + 1)):
                self.events.append(json.loads(line))
        self.ended.set()

    def finished(self):
        return self.events[-1].get("finished") if self.events else None

    def kill(self):
        process = self.process
        if process is None or process.poll() is not None:
            return False
        process.kill()
        return True


class Run:
    def __init__(self, folder, seed):
        self.random = random.Random(seed)
        self.flags = ("--listen", f"unix:{folder}/kill.socket", "--data-dir", f"{folder}/kill", "--concurrency", "2",
                      "--checkpoint-interval", "0.2")
        self.kinds = [([harness.query(harness.TINY[0]), "--network", harness.model(harness.TINY[1])], "ANSWER_UNSAT"),
                      ([harness.query("tiny_max_sat.vnnlib"), "--network", harness.model("tiny_max.onnx")], "ANSWER_SAT"),
                      ([long_query(folder), "--network", harness.model("digits.onnx"), *LONG], "ANSWER_UNSAT")]
        self.jobs = []
        self.kills = {"server": 0, "worker": 0, "client": 0}
        self.start_server()

    def start_server(self):
        self.server = harness.Server(*self.flags, log_level="off")

    def open_jobs(self):
        return [job for job in self.jobs if not job.ended.is_set()]

    def keep_busy(self):
        while len(self.open_jobs()) < OPEN_JOBS:
            job = Job(self.server.address, *self.kinds[len(self.jobs) % len(self.kinds)])
            self.jobs.append(job)
            job.start()

    def kill_server(self):
        self.server.process.kill()
        self.server.__exit__()
        self.start_server()
        return True

    def kill_worker(self):
        children = []
        for task in pathlib.Path(f"/proc/{self.server.process.pid}/task").iterdir():
            try:
                children += (task / "children").read_text().split()
            except OSError:
                pass  # that thread has ended
        if not children:
            return False
        try:
            os.kill(int(self.random.choice(children)), signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def kill_client(self):
        return self.random.choice(self.open_jobs()).kill()

    def kill_often(self, count):
        while sum(self.kills.values()) < count:
            self.keep_busy()
            time.sleep(self.random.uniform(0.02, 0.5))
            what = self.random.choice(list(self.kills))
            if getattr(self, f"kill_{what}")():
                self.kills[what] += 1

    def submit_again(self):
        """The jobs whose workers were killed, as somebody would who wants their answers."""
        killed = [job for job in self.jobs if job.finished()["state"] == "JOB_STATE_FAILED"]
        again = [Job(self.server.address, job.work, job.answer) for job in killed]
        for job in again:
            job.start()
        for job in again:
            job.join()
        return killed, again

    def judge(self):
        """(what went wrong, by kind; events in all)"""
        wrong = dict.fromkeys(("verdicts lost", "verdicts wrong", "jobs failed otherwise", "events twice", "events missing",
                               "events changed"), 0)
        events = 0
        for job in self.jobs:
            shown = json.loads(harness.espalier("jobs", job.id, "--json", "--server", self.server.address).stdout or "{}")
            log = harness.espalier("watch", job.id, "--json", "--server", self.server.address).stdout.splitlines()
            seen, numbers = job.finished(), [int(event["sequence"]) for event in job.events]
            events += len(log)
            if seen["state"] == "JOB_STATE_FAILED":
                wrong["jobs failed otherwise"] += "was ended by signal" not in seen["error"]["message"]
            else:
                wrong["verdicts lost"] += shown.get("answer") != seen["result"]["answer"]
                wrong["verdicts wrong"] += seen["result"]["answer"] != job.answer
            wrong["events twice"] += len(numbers) - len(set(numbers))
            wrong["events missing"] += len(set(range(1, len(log) + 1)) - set(numbers))
            wrong["events changed"] += sum(a != json.loads(b) for a, b in zip(job.events, log))
        return wrong, events


def kills(folder, count, seed=6):
    """(value, how) of the table's row."""
    run = Run(folder, seed)
    try:
        run.kill_often(count)
        for job in run.jobs:
            job.join()
        killed, again = run.submit_again()
        run.jobs += again
        wrong, events = run.judge()
        attempts = sum("started" in event for job in run.jobs for event in job.events)
        done = ", ".join(f"{what} {number}" for what, number in run.kills.items())
        value = ", ".join(f"{number} {what}" for what, number in wrong.items())
        return value, (f"{count} kills ({done}) around {len(run.jobs)} jobs, which were started {attempts} times and have {events} "
                       f"events; {len(killed)} of them ended with their worker, and their second submission with its verdict")
    finally:
        run.server.__exit__()
