"""When a version of a key comes too late to count."""

from __future__ import annotations

from datetime import timedelta

from penstock.conform.columns import has_opened
from penstock.spec.contract import Contract


def beyond(contract: Contract, order: str, opened: str) -> str:
    """SQL: `order` lies more than the horizon after `opened`; null when either is, false without a horizon."""
    if not has_opened(contract):
        return "FALSE"
    horizon = contract.dedupe.horizon or timedelta()
    return f"{order} > {opened} + to_microseconds({horizon // timedelta(microseconds=1)})"
