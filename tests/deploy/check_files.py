#!/usr/bin/env python3
"""The Dockerfile, the systemd unit and the Slurm script, without Docker, systemd and Slurm. check_files.py ROOT PROGRAMS

docker/test_build builds the image for real; this holds what can be said in seconds.
"""

import json
import re
import shutil
import sys
import tempfile

import launch
from launch import call, expect


def packages_of(path):
    lines = path.read_text().splitlines()
    return [line.split("==")[0] for line in lines if line and not line.startswith("#")]


def instructions(text):
    """[(INSTRUCTION, rest)] of a Dockerfile, continued lines joined."""
    joined = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def check_dockerfile(root, _):
    text = (root / "docker/Dockerfile").read_text()
    steps = instructions(text)
    names = [rest.split() for word, rest in steps if word == "FROM"]
    stages = [words[2] for words in names]
    expect(stages[-1] == "cpu", f"without --target the image for processors is built, not {stages[-1]}")
    for words in names:
        expect(words[0] == "${BASE}" or words[0] in stages, f"FROM {words[0]} is neither BASE nor a stage")
    for word, rest in steps:
        sources = [w for w in rest.split()[:-1] if not w.startswith("--")] if word == "COPY" else []
        stage = re.search(r"--from=(\S+)", rest) if word == "COPY" else None
        if stage:
            expect(stage[1] in stages, f"COPY from {stage[1]}, which is no stage")
            continue
        for source in sources:
            expect((root / source).exists(), f"COPY {source}: there is no such file")
    for script in re.findall(r"scripts/\w+", " ".join(rest for word, rest in steps if word == "RUN")):
        expect((root / script).stat().st_mode & 0o100, f"{script} cannot be run")
    presets = {p["name"] for p in json.loads((root / "CMakePresets.json").read_text())["configurePresets"]}
    used = set(re.findall(r"scripts/build (\S+)", text))
    expect(used and used <= presets, f"presets {used - presets} do not exist")
    users = [rest for word, rest in steps if word == "USER"]
    expect(len(users) == 2 and set(users) == {"10001:10001"}, f"the images end as {users}, not as a user by number")


def check_packages_are_listed_once(root, _):
    listed = packages_of(root / "scripts/packages.txt")
    expect(len(listed) == len(set(listed)), "packages.txt names a package twice")
    words = {word for _, rest in instructions((root / "docker/Dockerfile").read_text()) for word in rest.split()}
    named = words & {*listed, *packages_of(root / "scripts/cuda_packages.txt")}
    expect(not named, f"docker/Dockerfile names {named}, which scripts/ names already")


def check_image_starts(root, programs):
    steps = instructions((root / "docker/Dockerfile").read_text())
    entry = [json.loads(rest) for word, rest in steps if word == "ENTRYPOINT"]
    command = [json.loads(rest) for word, rest in steps if word == "CMD"]
    expect(entry == [["espalierd"]] and len(command) == 1, "one ENTRYPOINT espalierd, one CMD")
    address = next(rest for word, rest in steps if word == "ENV" and rest.startswith("ESPALIER_SERVER="))
    expect(address.split("=")[1] in command[0], "the health check asks where the server does not listen")
    with tempfile.TemporaryDirectory() as folder:
        launch.serve(programs, command[0], folder)


def check_test_build(root, _):
    """What run_in_image starts is what the image starts."""
    text = (root / "docker/run_in_image").read_text()
    command = json.loads(next(r for w, r in instructions((root / "docker/Dockerfile").read_text()) if w == "CMD"))
    expect(f"espalierd {' '.join(command)}" in text, "run_in_image does not start the server as the image does")
    for name in ("test_build", "run_in_image"):
        done = call(["bash", "-n", root / "docker" / name])
        expect(done.returncode == 0, done.stderr)


def check_systemd(root, programs):
    unit = (root / "deploy/systemd/espalierd.service").read_text()
    start = re.search(r"^ExecStart=espalierd (.*)$", unit, re.MULTILINE)
    expect(start, "the unit does not start espalierd")
    arguments = start[1].replace("${STATE_DIRECTORY}", "/var/lib/espalier").replace(" $ESPALIERD_FLAGS", "").split()
    with tempfile.TemporaryDirectory() as folder:
        launch.serve(programs, [*arguments, "--listen", "127.0.0.1:0"], folder)
        if shutil.which("systemd-analyze") is None:
            print("systemd-analyze is not installed: the unit's syntax is not checked")
            return
        copy = f"{folder}/espalierd.service"
        with open(copy, "w") as file:
            file.write(unit.replace("ExecStart=espalierd", f"ExecStart={programs}/espalierd"))
        done = call(["systemd-analyze", "verify", "--man=no", copy])
        said = [line for line in done.stderr.splitlines() if "espalierd.service" in line]
        expect(not said, "\n".join(said))
        done = call(["systemd-analyze", "security", "--offline=yes", "--threshold=30", copy])
        expect(done.returncode == 0, f"systemd-analyze security: {done.stdout[-200:]}{done.stderr}")


def check_slurm(root, programs):
    """Two tasks of an array, and the command that the script gives for collecting them."""
    script = root / "deploy/slurm/espalier_batch.sbatch"
    with tempfile.TemporaryDirectory() as folder:
        environment = {"PATH": f"{programs}:/usr/bin:/bin", "ESPALIER_SERVER": "127.0.0.1:1"}
        arguments = ["bash", script, root / "models/index.csv", f"{folder}/results", "--quiet"]
        for task in ("1", "2"):
            array = {"SLURM_ARRAY_TASK_ID": task, "SLURM_ARRAY_TASK_COUNT": "2", "SLURM_CPUS_PER_TASK": "1"}
            launch.batch(arguments, {**environment, **array})
        collect = re.search(r"^#   (espalier batch .*--collect.*)$", script.read_text(), re.MULTILINE)[1]
        collect = collect.replace("instances.csv", str(root / "models/index.csv")).replace("--threads 4", "--threads 1")
        environment["ESPALIER_SERVER"] = ""
        out = launch.batch(["bash", "-c", f"cd {folder} && {collect} --json --quiet"], environment)
        expect('"known_before": 18' in out, f"not every instance came from the tasks: {out[:400]}")


CHECKS = [check_dockerfile, check_packages_are_listed_once, check_image_starts, check_test_build, check_systemd, check_slurm]

if __name__ == "__main__":
    launch.main(CHECKS, *sys.argv[1:])
