#!/usr/bin/env python3
"""Where a verification's processor time goes, by function.

  python bench/profile.py ESPALIER QUERY.vnnlib MODEL.onnx [options of `espalier verify`]

Runs one verification with its private server under Linux `perf` (Debian: linux-perf) and sorts the samples: passes
(bounding itself), making bounds (networks that are left, planes, certificates), and what is neither. Start, reading
and attacks count as neither, so take a search of some seconds. Functions that were put into their callers count
as these.
"""

import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

HERTZ = 1999
# The first one that a function's name or its library matches. Library first, separated by a blank.
CLASSES = [
    ("memory (allocation, clearing, copies, kernel)", r"^\[kernel|^libc\S* .*(mem|alloc|free|unlink_chunk)"),
    ("ranking", r"::(Rank|RankFew|Score)\b"),
    ("slopes into tiles and out", r"::(LoadSlopes\w*|StoreSlopes\w*|StoreExactSlopes\w*|StoreMeansOf|StartsOf|HandOut|"
                                  r"ToBytes|Spread|FinishLane)\b"),
    ("passes", r"backend::(avx512|avx2|base)::|CompactTile::|CompactProgram::|CpuCertifier|CpuCompact\b"),
    ("making bounds", r"espalier::(bounds|backend|ir)::"),
    ("search", r"espalier::search::(?!Attack)"),
    ("attacks and passes of the whole network", r"espalier::search::Attack|^(\[unknown\]|\[JIT\]|libdnnl|libopenblas|perf-)"),
    ("everything else", r""),
]
BOUNDING = {"passes", "making bounds"}


def short_name(name):
    """Without templates and unnamed namespaces."""
    name = name.replace("(anonymous namespace)::", "")
    while True:
        shorter = re.sub(r"<[^<>]*>", "", name)
        if shorter == name:
            return name
        name = shorter


def record(command, data):
    run = subprocess.run(["perf", "record", "-q", "-e", "cpu-clock", "-F", str(HERTZ), "-o", data, "--", *command],
                         stdout=subprocess.PIPE, text=True)
    verdict = run.stdout.split()
    print(f"{verdict[0] if verdict else 'no verdict'} ({' '.join(command[1:])})")


def samples(data):
    """(library, function) -> samples."""
    lines = subprocess.run(["perf", "report", "-i", data, "--stdio", "-g", "none", "--no-children", "-n", "-F",
                            "sample,dso,sym"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    found = Counter()
    for line in lines.splitlines():
        match = re.match(r"\s*(\d+)\s+(\S+)\s+\[.\]\s+(.*)", line)
        if match:
            found[match[2], short_name(match[3]).strip()] += int(match[1])
    return found


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        data = str(Path(folder) / "perf.data")
        record([sys.argv[1], "verify", sys.argv[2], "--network", sys.argv[3], *sys.argv[4:]], data)
        found = samples(data)
    total = sum(found.values())
    if total == 0:
        sys.exit("perf has counted nothing")
    classes = {name: Counter() for name, _ in CLASSES}
    for (library, function), count in found.items():
        text = f"{library} {function}"
        classes[next(name for name, pattern in CLASSES if re.search(pattern, text))][function] += count
    print(f"{total / HERTZ:.2f} processor seconds")
    for name, functions in classes.items():
        share = 100 * sum(functions.values()) / total
        largest = ", ".join(f"{f.split('(')[0].split('::')[-1]} {100 * n / total:.1f}"
                            for f, n in functions.most_common(4) if 1000 * n >= total)
        print(f"{share:6.1f} %  {name:48} {largest}")
    outside = sum(sum(f.values()) for name, f in classes.items() if name not in BOUNDING)
    print(f"{100 * outside / total:6.1f} %  is neither passes nor making bounds")


if __name__ == "__main__":
    main()
