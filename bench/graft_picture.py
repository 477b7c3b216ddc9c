#!/usr/bin/env python3
"""Draws the trade-off curve of grafting: graft_picture.py ABLATION.csv PICTURE.svg

Reads what bench/graft_ablation printed; variants are called RULE-RATIO (margin-50). One line per rule through its
ratios: clean accuracy to the right, certified fraction upwards. The base and other variants are single points.
"""

import csv
import re
import sys

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 720, 460, 60, 50, 20, 150
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#888888"]


def ticks(low, high):
    step = 2 if high - low <= 20 else 5 if high - low <= 50 else 10
    first = int(-(-low // step) * step)
    return range(first, int(high) + 1, step)


class Picture:
    def __init__(self, points):
        xs, ys = zip(*points)
        self.x0, self.x1 = min(xs) - 1, max(xs) + 1
        self.y0, self.y1 = min(ys) - 2, max(ys) + 2
        self.parts = []

    def x(self, value):
        return LEFT + (value - self.x0) / (self.x1 - self.x0) * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        return HEIGHT - BOTTOM - (value - self.y0) / (self.y1 - self.y0) * (HEIGHT - BOTTOM - TOP)

    def text(self, x, y, words, anchor="middle", extra=""):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {extra}>{words}</text>')

    def axes(self):
        for value in ticks(self.x0, self.x1):
            x = self.x(value)
            self.parts.append(f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" class="grid"/>')
            self.text(x, HEIGHT - BOTTOM + 18, value)
        for value in ticks(self.y0, self.y1):
            y = self.y(value)
            self.parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" class="grid"/>')
            self.text(LEFT - 8, y + 4, value, "end")
        self.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, "clean accuracy, %")
        middle = (TOP + HEIGHT - BOTTOM) / 2
        self.text(16, middle, "certified by CROWN, %", extra=f'transform="rotate(-90 16 {middle})"')

    def point(self, x, y, colour, label):
        self.parts.append(f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="3.5" fill="{colour}"/>')
        self.text(self.x(x) + 6, self.y(y) - 5, label, "start", 'font-size="10"')

    def line(self, points, colour):
        path = "L".join(f"{self.x(x):.1f} {self.y(y):.1f}" for x, y in points)
        self.parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')

    def legend(self, entries):
        for i, (name, colour) in enumerate(entries):
            y = TOP + 12 + 20 * i
            self.parts.append(f'<rect x="{WIDTH - RIGHT + 15}" y="{y - 9}" width="12" height="10" fill="{colour}"/>')
            self.text(WIDTH - RIGHT + 33, y, name, "start")

    def svg(self):
        style = "text{font:12px sans-serif;fill:#222}.grid{stroke:#ddd}"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}">'
            f'<style>{style}</style><rect width="100%" height="100%" fill="white"/>' + "\n".join(self.parts) + "</svg>\n"
        )


def main():
    rules, single = {}, {}
    with open(sys.argv[1], encoding="utf-8") as file:
        for row in csv.DictReader(file):
            at = float(row["clean"]), float(row["crown"])
            match = re.fullmatch(r"(.+)-(\d+)", row["name"])
            if match:
                rules.setdefault(match[1], []).append((int(match[2]), at))
            else:
                single[row["name"]] = at
    picture = Picture([at for points in rules.values() for _, at in points] + list(single.values()))
    picture.axes()
    names = [*rules, *single]
    colours = dict(zip(names, COLOURS * len(names)))
    for rule, points in rules.items():
        picture.line([at for _, at in sorted(points)], colours[rule])
        for ratio, at in points:
            picture.point(*at, colours[rule], ratio)
    for name, at in single.items():
        picture.point(*at, colours[name], name)
    picture.legend([(rule, colours[rule]) for rule in rules])
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(picture.svg())


main()
