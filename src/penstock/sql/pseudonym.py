"""HMAC-SHA256 (RFC 2104) in plain SQL, for keys that must not be readable but must still join."""

from __future__ import annotations

import hashlib

from penstock.spec.contract import LogicalType
from penstock.sql.canonical import canonical_text, net_expression
from penstock.sql.names import literal

BLOCK = 64


def hmac_sha256_expression(key: bytes, text: str) -> str:
    """SQL of HMAC-SHA256 over the UTF-8 bytes of a text expression, as 64 hex characters; null stays null.

    The text holds pads made of the key: it must not be logged, shown or put into an error.
    """
    block = (hashlib.sha256(key).digest() if len(key) > BLOCK else key).ljust(BLOCK, b"\x00")
    inner = bytes(byte ^ 0x36 for byte in block)
    outer = bytes(byte ^ 0x5C for byte in block)
    digest = f"unhex(sha256({literal(inner)} || encode({text})))"
    return f"sha256({literal(outer)} || {digest})"


def pseudonym_expression(key: bytes, *, tenant: str, domain: str, type: LogicalType, expression: str) -> str:
    """SQL of the pseudonym of a typed value: HMAC of net(tenant) net(domain) net(canonical text).

    `domain` is the id of the column that the value identifies, so columns that must join share it.
    """
    head = "".join(f"{len(part.encode())}:{part}," for part in (tenant, domain))
    return hmac_sha256_expression(key, f"{literal(head)} || {net_expression(canonical_text(type, expression))}")
