"""How odd a payment is, between 0 and 1: a logistic formula with weights that anybody can read.

A user without enough payments has no z-score, which weighs nothing.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

BASE = -4.0
WEIGHTS = {
    "z_score": 0.9,  # per standard deviation above the user's mean; below the mean weighs nothing
    "is_night": 1.0,  # between midnight and five in the morning, UTC
    "is_first": 0.7,  # the user's first payment
}


def score(rows: pa.Table) -> np.ndarray:
    """The odds of each row: 1 / (1 + exp(-(BASE + sum of weight x value)))."""
    total = np.full(rows.num_rows, BASE)
    for name, weight in WEIGHTS.items():
        total += weight * np.clip(pc.fill_null(rows[name], 0.0).to_numpy(), 0.0, 20.0)
    return 1 / (1 + np.exp(-total))
