"""What the checks share: the project's files and C++ text without comments and strings."""

import argparse
import pathlib
import re
import subprocess

CPP = {".h", ".cc", ".cpp", ".cu", ".cuh", ".inc"}


def arguments(description, *flags):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    for flag, meaning in flags:
        parser.add_argument(flag, action="store_true", help=meaning)
    return parser.parse_args()


def files(root, suffixes):
    """Files that git tracks or would track, relative to root; all files where root is no repository."""
    if (root / ".git").exists():
        command = ["git", "-C", str(root), "ls-files", "-co", "--exclude-standard"]
        names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    else:
        names = [str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()]
    paths = sorted(pathlib.PurePosixPath(name) for name in set(names))
    return [p for p in paths if p.suffix in suffixes and (root / p).is_file()]


TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<tag>[^(\s]*)\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.DOTALL
)


def blank(match):
    text = match.group(0)
    keep = '""' if text.endswith('"') else "0" if text.endswith("'") and not text.startswith("/") else ""
    return keep + "\n" * text.count("\n")


def code_only(text):
    """C++ with comments removed and literals emptied; lines keep their numbers. Preprocessor lines become empty."""
    text = re.sub(r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F])", "", text)  # digit separators are no characters
    text = TOKEN.sub(blank, text)
    lines, continued = [], False
    for line in text.split("\n"):
        directive = continued or line.lstrip().startswith("#")
        continued = directive and line.rstrip().endswith("\\")
        lines.append("" if directive else line)
    return "\n".join(lines)


def finish(problems, done):
    for problem in problems:
        print(problem)
    print(f"{done}: {'ok' if not problems else f'{len(problems)} problems'}")
    return 1 if problems else 0
