"""What cannot be compiled is said before any row is read, all of it at once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from penstock.conform.validate import problems
from penstock.errors import DeclarationError
from penstock.spec.contract import Column, Contract, Dedupe, Format, LogicalType, RowRule
from penstock.spec.source import Reading
from penstock.sql.connection import connect
from tests.conform.declared import column, contract


def found(declared: Contract, reading: Reading | None = None) -> list[str]:
    return [str(problem.where).rpartition(": ")[2] for problem in problems(connect(threads=1), declared, reading)]


def test_a_sound_contract_has_no_problems() -> None:
    declared = contract(
        column("a", pattern="^x"), column("t", LogicalType.TIMESTAMP), key=["a"], dedupe=Dedupe("t", timedelta(days=1))
    )
    assert found(declared, Reading(timezone="Europe/London")) == []


def test_every_column_and_rule_that_cannot_be_compiled_is_named() -> None:
    declared = contract(
        column("a", pattern="(?=x)"),
        column("b", LogicalType.INTEGER, minimum="low"),
        column("_c"),
        column("d", LogicalType.DATE, enum=("2024-02-30",)),
        rules=[RowRule("ok", "b > 1"), RowRule("unknown", "z > 1"), RowRule("wrong_type", "year(a) = 1")],
    )
    assert found(declared) == ["column a", "column b", "column _c", "column d", "rule unknown", "rule wrong_type"]


@pytest.mark.parametrize("ordered", [None, column("n", LogicalType.INTEGER)])
def test_a_horizon_needs_an_order_in_time(ordered: Column | None) -> None:
    columns = [column("k"), *([] if ordered is None else [ordered])]
    dedupe = Dedupe(None if ordered is None else ordered.name, timedelta(days=1))
    assert found(contract(*columns, key=["k"], dedupe=dedupe)) == ["dedupe"]


def test_constants_that_would_refuse_every_row_are_named() -> None:
    declared = contract(
        column("mail", format=Format.EMAIL),
        column("home", format=Format.EMAIL),
        column("low", LogicalType.INTEGER),
        column("high", LogicalType.INTEGER),
        column("read", LogicalType.INTEGER),
        rules=[
            RowRule("ordered", "low < high"),
            RowRule("positive", "low > 0"),
            RowRule("open", "low > read"),
            RowRule("told", "mail = home"),
        ],
    )
    reading = Reading(constants=(("mail", "a at b.org"), ("home", "a@b.org"), ("low", "7"), ("high", "3")))
    assert found(declared, reading) == ["column mail", "rule ordered"]


def test_problems_are_declaration_errors() -> None:
    (problem,) = problems(connect(threads=1), contract(column("a", pattern="[")))
    assert isinstance(problem, DeclarationError)
    assert problem.exit_code == 2
