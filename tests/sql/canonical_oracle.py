"""The canonical row hash in plain Python, written from its published convention alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal


def row_hash(tenant: str, values: Mapping[str, object]) -> str:
    text = net(tenant)
    for column_id in sorted(values):
        value = values[column_id]
        if value is not None:
            text += net(column_id) + net(canonical(value))
    return hashlib.sha256(text.encode()).hexdigest()


def net(text: str) -> str:
    return f"{len(text.encode())}:{text},"


def canonical(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value + 0.0)
    if isinstance(value, Decimal):
        sign, digits, exponent = value.as_tuple()
        assert isinstance(exponent, int)
        whole = "".join(map(str, digits)).rjust(-exponent + 1, "0")
        head, tail = (whole[:exponent], whole[exponent:].rstrip("0")) if exponent < 0 else (whole + "0" * exponent, "")
        head = head.lstrip("0") or "0"
        text = f"{head}.{tail}" if tail else head
        return f"-{text}" if sign and text != "0" else text
    if isinstance(value, datetime):
        return str((value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))
    if isinstance(value, date):
        return f"{value.year:04d}-{value.month:02d}-{value.day:02d}"
    return str(value)
