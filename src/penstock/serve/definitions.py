"""The metrics of a release, as they were compiled and kept when it was made."""

from __future__ import annotations

from pathlib import Path

from penstock.lake.records import read_record
from penstock.metrics.metric import Metrics
from penstock.release.record import Release

KIND = "metrics"  # of records; the key is the fingerprint
COUNTED = "metrics"  # where a release's counts name the fingerprint


def metrics_of(root: Path, release: Release) -> Metrics:
    """None at all where the release was made without any. Starts neither dbt nor MetricFlow."""
    fingerprint = release.counts.get(COUNTED)
    kept = None if fingerprint is None else read_record(root, KIND, str(fingerprint))
    return Metrics("", {}) if kept is None else Metrics.from_record(str(fingerprint), kept)
