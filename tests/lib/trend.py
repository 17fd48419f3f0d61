# SPDX-License-Identifier: Apache-2.0
"""
The slope of a figure over time. Neighbouring samples are alike, so a fit through all of them would
be much surer of itself than it may be: the fit is through the means of blocks.
"""

from statistics import fmean

BLOCKS = 12
# Student's t, 97.5 %, by degrees of freedom (blocks - 2).
STUDENT = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26,
           10: 2.23}


def block_means(points, blocks=BLOCKS):
    """(mean time, mean value) of equal parts of the points, in their order."""
    blocks = min(blocks, len(points))
    edges = [i * len(points) // blocks for i in range(blocks + 1)]
    return [(fmean(at for at, _ in part), fmean(value for _, value in part))
            for part in (points[a:b] for a, b in zip(edges, edges[1:]))]


class Trend:
    """`points`: (seconds, value), three at least. slope, low, high: a second."""

    def __init__(self, points):
        blocks = block_means(points)
        if len(blocks) < 3:
            raise ValueError(f"{len(points)} samples are too few for a slope: three are needed")
        middle = fmean(at for at, _ in blocks)
        self.mean = fmean(value for _, value in blocks)
        spread = sum((at - middle) ** 2 for at, _ in blocks)
        self.slope = sum((at - middle) * (value - self.mean) for at, value in blocks) / spread
        left = sum((value - self.mean - self.slope * (at - middle)) ** 2 for at, value in blocks)
        freedom = len(blocks) - 2
        error = STUDENT[freedom] * (left / freedom / spread) ** 0.5
        self.low, self.high = self.slope - error, self.slope + error
