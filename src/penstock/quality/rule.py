"""A check before it is run: who it is, how much it matters, and how to find out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256

import duckdb

from penstock.quality.result import Kind, Places, Status
from penstock.spec.contract import Contract
from penstock.spec.project import Severity


@dataclass(frozen=True)
class Outcome:
    """What running a rule gave. See `CheckResult` for the fields."""

    status: Status
    value: str | None
    message: str
    sample: tuple[Mapping[str, str | None], ...] = ()
    waiting: Places | None = None


@dataclass(frozen=True)
class Rule:
    """`run` may raise duckdb.Error or PenstockError: the check then has status `error`."""

    name: str
    kind: Kind
    severity: Severity
    expected: str
    fingerprint: str
    where: str
    description: str
    run: Callable[[duckdb.DuckDBPyConnection], Outcome]


def fingerprint_of(contract: Contract, kind: Kind, detail: str) -> str:
    """What tells a rule that a contract implies from what it was before the contract changed."""
    return sha256("\x00".join((contract.fingerprint, kind.value, detail)).encode()).hexdigest()
