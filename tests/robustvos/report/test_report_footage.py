"""Clips that were cut from one footage stand or fall together, in every figure."""

from __future__ import annotations

import math

from robustvos.evaluation.records import CLUSTER_TAG, ObjectScore
from robustvos.report.retention import retention_cell
from robustvos.report.significance import signed_rank_p


def clip(number, score, corruption="clean", footage=None):
    tags = {"corruption": corruption} | ({CLUSTER_TAG: footage} if footage else {})
    return ObjectScore(f"v{number}", 1, 1, tags, {"J": score})


def test_one_footage_is_one_pair():
    apart = [clip(n, 0.1 + n / 100) for n in range(8)]
    together = [clip(n, 0.1 + n / 100, footage="one" if n < 7 else "two") for n in range(8)]
    assert signed_rank_p(apart, "J") < 0.01
    assert signed_rank_p(together, "J") == 0.5  # of two
    assert math.isnan(signed_rank_p(together[:7], "J"))


def test_retention_has_the_interval_of_the_footage():
    records = [clip(n, 0.8, footage=f"f{n % 2}") for n in range(8)]
    records += [clip(n, 0.2 + 0.4 * (n % 2), "fog", f"f{n % 2}") for n in range(8)]
    cell = retention_cell(records, "fog", "J")
    assert (cell.videos, cell.objects) == (8, 8)
    assert (round(cell.low, 3), round(cell.high, 3)) == (0.25, 0.75)  # either footage alone
