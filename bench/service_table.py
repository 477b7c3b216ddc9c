#!/usr/bin/env python3
"""What the service shows: kills and what they lose, latency and rate, memory after many jobs, cancel to idle, drain, start-up,
bytes on the wire, a batch over two servers and one, attacks. A real espalierd, real clients, real sockets.

    service_table.py BUILD-FOLDER [--only start,wire,...] [--bench FOLDER] [--write] [options, see --help]

Prints one table in Markdown, with the machine and its load before and after. --write puts it into docs/operations.md, between
the comments that mark its place there, and as CSV into docs/service_table.csv. Needs Python, the two programs and the target
service_latency, two processors, and some ten minutes; --bench, with instances beside those of models/, more.
"""

import argparse
import csv
import datetime
import os
import pathlib
import platform
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests/service"), str(ROOT / "bench")]
import harness  # noqa: E402
from service_rows import MEASUREMENTS, Table  # noqa: E402

BEGIN, END = "<!-- made by bench/service_table.py --write -->", "<!-- end of what bench/service_table.py made -->"


def processor():
    with open("/proc/cpuinfo") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), platform.machine())


def load():
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


def markdown(rows):
    lines = ["| figure | value | how |", "|---|---|---|", *("| " + " | ".join(row) + " |" for row in rows)]
    return "\n".join(lines) + "\n"


def write(rows):
    with open(ROOT / "docs/service_table.csv", "w", newline="") as file:
        csv.writer(file).writerows([("figure", "value", "how"), *rows])
    page = ROOT / "docs/operations.md"
    text = page.read_text()
    before, rest = text.split(BEGIN)
    page.write_text(before + BEGIN + "\n\n" + markdown(rows) + "\n" + END + rest.split(END)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--only", help="some of the measurements: " + ",".join(MEASUREMENTS))
    parser.add_argument("--write", action="store_true", help="into docs/")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=10000)
    parser.add_argument("--rounds", type=int, default=100, help="cancellations of each kind")
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--drains", type=int, default=5)
    parser.add_argument("--connections", type=int, default=10000, help="of the attack suite")
    parser.add_argument("--seconds", type=float, default=10, help="of measured calls for each number of clients")
    parser.add_argument("--repeat", type=int, default=10, help="how often the batch has each query of models/")
    parser.add_argument("--bench", type=pathlib.Path, help="folder with more instances: instances.csv and its files")
    parser.add_argument("--families", type=lambda text: text.split(","), help="its benchmarks that are taken",
                        default="reach_prob_density22,rl_benchmarks22,test21,tllverifybench23,graft_digits".split(","))
    arguments = parser.parse_args()
    os.environ["OMP_WAIT_POLICY"] = "passive"
    harness.ROOT, harness.ESPALIERD, harness.ESPALIER = ROOT, arguments.build / "espalierd", arguments.build / "espalier"
    names = arguments.only.split(",") if arguments.only else list(MEASUREMENTS)
    table, before = Table(), load()
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            MEASUREMENTS[name](table, folder, arguments)
    rows = [("machine", f"{os.cpu_count()} processors, {processor()}",
             f"{datetime.date.today()}; load {before} before, {load()} after; nice {os.nice(0)}"), *table.rows]
    print(markdown(rows))
    if arguments.write:
        write(rows)


if __name__ == "__main__":
    main()
