#!/usr/bin/env python3
"""The Slurm script on a real Slurm: a controller and one node, started here for this test alone, without munge or accounting.

    check_slurm.py ROOT PROGRAMS

Exit status 77 (skipped) where Slurm (Debian: slurm-wlm) is not installed.
"""

import getpass
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import launch
from launch import expect

PATIENCE = 300  # seconds
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/none
CredType=cred/none
AuthInfo=cred_expire=5
SlurmUser={user}
SlurmdUser={user}
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmctldPort={controller}
SlurmdPort={node}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ReturnToService=2
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Slurm:
    def __init__(self, folder, programs):
        self.folder = folder
        configuration = folder / "slurm.conf"
        configuration.write_text(CONFIGURATION.format(host=socket.gethostname().split(".")[0], user=getpass.getuser(), folder=folder,
                                                      controller=free_port(), node=free_port(), cores=os.cpu_count()))
        for name in ("state", "spool"):
            (folder / name).mkdir()
        self.environment = {**os.environ, "SLURM_CONF": str(configuration), "PATH": f"{programs}:{os.environ['PATH']}:/usr/sbin"}
        self.daemons = []

    def __enter__(self):
        for name in ("slurmctld", "slurmd"):
            with open(self.folder / f"{name}.log", "w") as log:
                self.daemons.append(subprocess.Popen([shutil.which(name, path=self.environment["PATH"]), "-D", "-f",
                                                      self.environment["SLURM_CONF"]], env=self.environment, stdout=log, stderr=log))
        self.wait_for("a node that is idle", lambda: self.call("sinfo", "-h", "-o", "%t").strip() == "idle")
        return self

    def __exit__(self, *_):
        self.call("scancel", "--user", getpass.getuser(), check=False)
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(60)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def call(self, *words, check=True):
        done = subprocess.run([str(w) for w in words], env=self.environment, capture_output=True, text=True, cwd=self.folder)
        expect(not check or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}")
        return done.stdout

    def wait_for(self, what, condition):
        end = time.monotonic() + PATIENCE
        while True:
            try:
                if condition():
                    return
            except launch.Failed:  # the controller may still be starting
                pass
            if time.monotonic() > end:
                logs = "".join(path.read_text()[-2000:] for path in self.folder.glob("*.log"))
                raise launch.Failed(f"waited in vain for {what}\n{logs}")
            time.sleep(0.1)


def endless(folder):
    """A query for digits.onnx that no test waits for."""
    lines = [f"(declare-const X_{i} Real)" for i in range(64)] + [f"(declare-const Y_{i} Real)" for i in range(10)]
    lines += [f"(assert (>= X_{i} 0.0))\n(assert (<= X_{i} 1.0))" for i in range(64)]
    (folder / "endless.vnnlib").write_text("\n".join(lines) + "\n(assert (<= Y_0 -24.0))\n")


def instances(root, folder):
    """Three for each of two tasks; the second one of the first task takes its whole limit."""
    models = root / "models"
    quick = [f"{models}/tiny_max.onnx,{models}/properties/tiny_max_{kind}.vnnlib,60" for kind in ("unsat", "sat")]
    slow = f"{models}/digits.onnx,{folder}/endless.vnnlib,8"
    (folder / "instances.csv").write_text("\n".join([quick[0], quick[0], slow, quick[1], quick[1], quick[0]]) + "\n")
    endless(folder)


def journal(folder, shard):
    path = folder / f"results/shard_{shard}/journal.jsonl"
    return [line for line in path.read_text().splitlines() if '"model"' in line] if path.exists() else []


def check_array_with_a_requeue(root, programs):
    """A task that is put back while it runs goes on where it was; what the parts hold makes one folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        instances(root, folder)
        with Slurm(folder, programs) as slurm:
            submitted = slurm.call("sbatch", "--parsable", "--array=1-2", "--cpus-per-task=1", "--mem=500M",
                                   root / "deploy/slurm/espalier_batch.sbatch", "instances.csv", "results").strip()
            slurm.wait_for("the first result", lambda: len(journal(folder, 1)) == 1)
            slurm.call("scontrol", "requeue", f"{submitted}_1")
            slurm.wait_for("the tasks' end", lambda: not slurm.call("squeue", "-h").strip())
            shown = slurm.call("scontrol", "show", "job", f"{submitted}_1")
            expect("Restarts=1" in shown and "JobState=COMPLETED" in shown, f"not put back once: {shown}")
            output = (folder / f"slurm-{submitted}_1.out").read_text()
            for shard in (1, 2):
                expect(len(journal(folder, shard)) == 3, f"shard {shard} has {journal(folder, shard)}\n{output}")
            collect = ["espalier", "batch", "instances.csv", "--results-dir", "all", "--threads", "1", "--json", "--quiet"]
            collect += ["--collect", "results/shard_1", "--collect", "results/shard_2"]
            report = json.loads(slurm.call(*collect))
            expect(report["known_before"] == 6, f"not every instance came from the tasks: {report['known_before']}")
            answers = [record["result"] for record in report["records"]]
            expect(answers == ["unsat", "unsat", "timeout", "sat", "sat", "unsat"], f"{answers}")


CHECKS = [check_array_with_a_requeue]

if __name__ == "__main__":
    if not all(shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") for name in ("slurmctld", "slurmd", "sbatch")):
        print("skipped: Slurm is not installed (Debian: slurm-wlm)")
        sys.exit(launch.SKIPPED)
    launch.main(CHECKS, *sys.argv[1:])
