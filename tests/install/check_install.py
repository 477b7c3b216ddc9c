#!/usr/bin/env python3
"""What is installed works without the source and the build.

    check_install.py --what Prefix    cmake --install into a new folder; a consumer by find_package and one by pkg-config;
                                      the programs decide queries of models/
    check_install.py --what Package   CPack's Debian packages: their names, dependencies, files; the unpacked programs work

Exit status 77: a tool that the test needs is not installed.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

QUERIES = {"digits_by_bounds": "unsat", "digits_counterexample": "sat"}


def run(*command, **settings):
    """stdout of a command; its whole output and the end of this test when it fails."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=1000, **settings)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def need(*tools):
    for tool in tools:
        if shutil.which(tool) is None:
            print(f"skipped: {tool} is not installed")
            sys.exit(77)


def expect(condition, words):
    if not condition:
        sys.exit(words)


def check_programs(root, source):
    """The client finds the server beside itself; nothing of the environment helps."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "OMP_WAIT_POLICY": "passive"}
    for query, verdict in QUERIES.items():
        out = run(
            *(root / "bin/espalier", "verify", source / f"models/properties/{query}.vnnlib", "--timeout", "60"),
            *("--network", source / "models/digits.onnx"),
            env=environment,
        )
        expect(out.split("\n")[0] == verdict, f"{query}: {out}, expected {verdict}")
    # ldd says what the loader would take: one OpenBLAS, the one with OpenMP.
    blas = [line for line in run("ldd", root / "bin/espalierd").splitlines() if "openblas" in line]
    expect(blas and all("openblas-openmp" in line for line in blas), f"espalierd loads {blas}")
    completion = (root / "share/bash-completion/completions/espalier").read_text()
    expect("complete " in completion, "the completion completes nothing")


def check_consumer(program, source):
    for query, verdict in QUERIES.items():
        out = run(program, source / "models/digits.onnx", source / f"models/properties/{query}.vnnlib", "60")
        expect(out.split("\n")[0] == verdict, f"{program.name}: {query} is {out}, expected {verdict}")


def consumers(root, work, args):
    """The same stranger's program, found in two ways, built outside the project's folders."""
    for file in root.rglob("*"):
        if file.suffix in {".cmake", ".pc"}:
            text = file.read_text()
            expect(str(args.build) not in text and f"{args.source}/" not in text, f"{file} names the source or the build")
    example = next(root.rglob("verify_model.cc"))
    project = shutil.copytree(args.source / "tests/install/consumer", work / "consumer")
    environment = dict(os.environ, CXXFLAGS=args.flags)
    run(
        *("cmake", "-S", project, "-B", work / "by_cmake", f"-DCMAKE_PREFIX_PATH={root}", f"-DEXAMPLE={example}"),
        *("-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"),
        env=environment,
    )
    run("cmake", "--build", work / "by_cmake")
    check_consumer(work / "by_cmake/consumer", args.source)

    folder = next(root.rglob("espalier.pc")).parent
    environment = dict(os.environ, PKG_CONFIG_PATH=str(folder))
    flags = {w: run("pkg-config", w, "espalier", env=environment).split() for w in ("--cflags", "--libs")}
    program = work / "by_pkg_config"
    run(
        *("c++", "-std=c++20", "-O1", *args.flags.split(), *flags["--cflags"], example, "-o", program),
        *flags["--libs"],
    )
    check_consumer(program, args.source)


def check_prefix(work, args):
    need("cmake", "ninja", "pkg-config", "c++")
    root = work / "prefix"
    run("cmake", "--install", args.build, "--prefix", root)
    moved = root.rename(work / "moved")  # what is installed names no place of its own
    check_programs(moved, args.source)
    consumers(moved, work, args)


def packed_names(package):
    return {line.split()[-1].removeprefix(".") for line in run("dpkg-deb", "-c", package).splitlines()}


def check_package(work, args):
    need("cpack", "dpkg-deb", "dpkg-shlibdeps", "file")
    run("cpack", "-G", "DEB", "--config", args.build / "CPackConfig.cmake", "-B", work / "packages")
    packages = {p.name.split("_")[0]: p for p in (work / "packages").glob("*.deb")}
    expect(set(packages) == {"espalier", "libespalier-dev"}, f"packages: {sorted(packages)}")

    names = packed_names(packages["espalier"])
    for name in ("/usr/bin/espalier", "/usr/bin/espalierd", "/usr/lib/systemd/system/espalierd.service"):
        expect(name in names, f"espalier has no {name}: {sorted(names)}")
    expect(not any(n.endswith((".a", ".h")) for n in names), "espalier holds parts of the library")
    depends = run("dpkg-deb", "-f", packages["espalier"], "Depends")
    for library in ("libdnnl2", "libopenblas0-openmp", "libprotobuf", "libsqlite3-0", "coinor-libclp1", "libc6"):
        expect(library in depends, f"espalier does not depend on {library}: {depends}")

    names = packed_names(packages["libespalier-dev"])
    for end in ("/libespalier.a", "/verifier/verifier.h", "/espalierConfig.cmake", "/espalier.pc", "/options.def"):
        expect(any(n.endswith(end) for n in names), f"libespalier-dev has no {end}")
    expect("/usr/bin/espalier" not in names, "libespalier-dev holds programs")
    depends = run("dpkg-deb", "-f", packages["libespalier-dev"], "Depends").replace(",", " ").split()
    for package in ("libonnx-dev", "libdnnl-dev", "libabsl-dev", "coinor-libclp-dev", "zlib1g-dev"):
        expect(package in depends, f"libespalier-dev does not depend on {package}: {depends}")

    run("dpkg-deb", "-x", packages["espalier"], work / "unpacked")
    check_programs(work / "unpacked/usr", args.source)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--what", choices=["Prefix", "Package"], required=True)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--flags", default="", help="what the build added to every compiler call, e.g. sanitizers")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        {"Prefix": check_prefix, "Package": check_package}[args.what](pathlib.Path(folder), args)


main()
