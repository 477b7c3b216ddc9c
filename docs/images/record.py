#!/usr/bin/env python3
"""Records one run of the client in a terminal of 120 columns and writes it as a self-contained SVG.

    docs/images/record.py docs/images/run.svg -- espalier verify QUERY --network MODEL --explain

What the client printed is kept byte for byte. The progress bar rewrites its own line; the picture keeps up to three of
its states, one below the other.
"""

import html
import os
import pty
import re
import struct
import sys
import fcntl
import termios

COLUMNS, STATES = 120, 3
CHARACTER, LINE, MARGIN = 8.0, 19, 16
INK, DIM, ACCENT, PAPER = "#d8dee9", "#8f9bb3", "#a3be8c", "#20242c"


def run(command):
    """Everything the command writes to its terminal."""
    pid, master = pty.fork()
    if pid == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
        os.execvp(command[0], command)
    written = b""
    while True:
        try:
            piece = os.read(master, 4096)
        except OSError:  # Linux: the other end has closed
            break
        if not piece:
            break
        written += piece
    os.waitpid(pid, 0)
    return written.decode()


def lines_of(written):
    """(text, is a state of the bar) in the order of the screen."""
    bars, lines = [], []
    for raw in written.replace("\r\n", "\n").split("\n"):
        pieces = re.split(r"\r\x1b\[K", raw)
        bars += [piece for piece in pieces[:-1] if piece.strip()]
        if pieces[-1].strip():
            (bars if pieces[-1].startswith("[") else lines).append(pieces[-1])
    chosen = sorted({round(k * (len(bars) - 1) / (STATES - 1)) for k in range(STATES)}) if bars else []
    return [(bars[k], True) for k in chosen] + [(line, False) for line in lines]


def spaced(text):
    """SVG collapses runs of spaces; non-breaking ones stay."""
    return html.escape(text).replace(" ", "\u00a0")


def svg(command, lines):
    rows = [("$ " + " ".join(command), INK)]
    for text, bar in lines:
        verdict = text in ("sat", "unsat", "unknown", "timed-out")
        rows.append((text, ACCENT if verdict else DIM if bar or text.startswith(";") else INK))
    width = 2 * MARGIN + CHARACTER * COLUMNS
    height = 2 * MARGIN + LINE * len(rows)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" '
        f'height="{height}" role="img" aria-label="A run of espalier verify in a terminal">',
        f'<rect width="100%" height="100%" rx="6" fill="{PAPER}"/>',
        '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" '
        'font-size="13">',
    ]
    for number, (text, colour) in enumerate(rows):
        y = MARGIN + LINE * number + 14
        # textLength keeps columns aligned whatever font the viewer has.
        out.append(
            f'<text x="{MARGIN}" y="{y}" fill="{colour}" textLength="{CHARACTER * len(text):.0f}" '
            f'lengthAdjust="spacingAndGlyphs">{spaced(text)}</text>'
        )
    return "\n".join(out + ["</g>", "</svg>", ""])


def main():
    target, separator, command = sys.argv[1], sys.argv[2], sys.argv[3:]
    assert separator == "--", __doc__
    with open(target, "w", encoding="utf-8") as file:
        file.write(svg(command, lines_of(run(command))))


if __name__ == "__main__":
    main()
