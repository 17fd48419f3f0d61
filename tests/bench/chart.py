# SPDX-License-Identifier: Apache-2.0
"""The curves of the report as one SVG: a small plot for each axis and quantity."""

import math
from dataclasses import dataclass

WIDTH, HEIGHT = 420, 260            # of a plot with its text
LEFT, RIGHT, TOP, BOTTOM = 56, 28, 36, 40
TICKS = 4
STYLE = ("text { font: 12px sans-serif; fill: #222 } .title { font-weight: bold } "
         ".grid { stroke: #ddd } .line { stroke: #1f5fa8; stroke-width: 2; fill: none } "
         ".bar { stroke: #1f5fa8 } .dot { fill: #1f5fa8 }")


@dataclass
class Plot:
    """`points`: (x, spread). The horizontal axis is logarithmic, the vertical one begins at zero."""
    title: str
    x_name: str
    points: list


def _nice_top(value):
    """The least number not below whose quarters are short."""
    if value <= 0:
        return 1.0
    power = 10 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10)
                if step * power >= value * 0.999)


class _Scale:
    def __init__(self, plot):
        self.low = math.log10(min(x for x, _ in plot.points))
        self.high = math.log10(max(x for x, _ in plot.points))
        self.top = _nice_top(max(one["q3"] for _, one in plot.points))

    def x(self, value):
        share = (math.log10(value) - self.low) / ((self.high - self.low) or 1)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        return HEIGHT - BOTTOM - value / self.top * (HEIGHT - TOP - BOTTOM)


def _text(x, y, text, anchor="middle", kind=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{text}</text>'


def _line(kind, *ends):
    return '<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>'.format(kind, *ends)


def _frame(plot, scale):
    yield _text(WIDTH / 2, 20, plot.title, kind="title")
    yield _text(WIDTH / 2, HEIGHT - 6, plot.x_name)
    for i in range(TICKS + 1):
        value = scale.top * i / TICKS
        yield _line("grid", LEFT, scale.y(value), WIDTH - RIGHT, scale.y(value))
        yield _text(LEFT - 6, scale.y(value) + 4, f"{value:.4g}", "end")
    for x, _ in plot.points:
        yield _text(scale.x(x), HEIGHT - BOTTOM + 16, f"{x:,}")


def _drawn(plot):
    scale = _Scale(plot)
    yield from _frame(plot, scale)
    corners = " ".join(f"{scale.x(x):.1f},{scale.y(one['median']):.1f}" for x, one in plot.points)
    yield f'<polyline class="line" points="{corners}"/>'
    for x, one in plot.points:
        yield _line("bar", scale.x(x), scale.y(one["q1"]), scale.x(x), scale.y(one["q3"]))
        yield (f'<circle class="dot" cx="{scale.x(x):.1f}" cy="{scale.y(one["median"]):.1f}" '
               f'r="3"><title>{one["median"]:.4g}</title></circle>')


def svg(plots, columns):
    """One picture of the plots, row by row."""
    height = math.ceil(len(plots) / columns) * HEIGHT
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{columns * WIDTH}" '
             f'height="{height}">', f"<style>{STYLE}</style>",
             '<rect width="100%" height="100%" fill="white"/>']
    for i, plot in enumerate(plots):
        place = f"translate({i % columns * WIDTH} {i // columns * HEIGHT})"
        parts += [f'<g transform="{place}">', *_drawn(plot), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"
