"""What a warehouse says, apart from how its rows came, and where two of them differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from penstock.transform import warehouse
from penstock.transform.content import Content, content_of
from tests.commerce.hand_shop import Shop

HOW_IT_CAME = ("loaded_at", "record_source")


def contents(database: Path) -> Mapping[str, Content]:
    """The content of every table."""
    with warehouse.opened(database, read_only=True) as connection:
        kinds = warehouse.relations(connection)
        tables = [name for name, kind in kinds.items() if kind == "TABLE" and not name.startswith("staging.changed_")]
        return {name: content_of(connection, name, without=HOW_IT_CAME) for name in tables}


def said(shop: Shop) -> Mapping[str, Content]:
    """What the shop's warehouse says."""
    (database,) = (shop.folder / "data" / "cache").glob("warehouse-*.duckdb")
    return contents(database)


def differences(grown: Path, whole: Path, *, shown: int = 3) -> list[str]:
    """The tables of `whole` that say something else in `grown`, each with the first rows that only one of them has."""
    expected, found = contents(whole), contents(grown)
    lines = [f"{name}: in one of them only" for name in sorted(expected.keys() ^ found.keys())]
    for name in sorted(expected.keys() & found.keys()):
        if expected[name] != found[name]:
            here, there = _rows(grown, name), _rows(whole, name)
            lines += [f"{name}: only grown {row}" for row in islice((here - there).elements(), shown)]
            lines += [f"{name}: only made whole {row}" for row in islice((there - here).elements(), shown)]
    return lines


def _rows(database: Path, table: str) -> Counter[str]:
    with warehouse.opened(database, read_only=True) as connection:
        found = connection.execute(f"SELECT * FROM {warehouse.relation(table)}")
        names = [column[0] for column in found.description or ()]
        return Counter(
            ", ".join(f"{name}={value}" for name, value in zip(names, row, strict=True) if name not in HOW_IT_CAME)
            for row in found.fetchall()
        )
