"""What decides the rows that steps receive of a topic, and nothing that does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from penstock.spec.contract import Column, Contract, Evolution, LogicalType
from penstock.spec.fingerprint import fingerprint
from penstock.spec.stream import Topic

_UNSEEN = frozenset({"id", "description", "classification"})  # of a column; what becomes a pseudonym is told apart
_NAMED = ("name", "dataset", "key", "time", "partitions", "format")


def received(topic: Topic, contract: Contract, domains: Mapping[str, str], *, tenant: str) -> str:
    """A fingerprint of what a row must be to come in, and of what it then says to who reads the columns that are there.

    The dataset's own business is none of it: which version of a key wins, partitions, who owns it, what is personal
    beside the pseudonyms (`domains`). Nor is a column that takes any value and stands for no other: rows come in with
    it as without it.
    """
    counted = [one for one in contract.columns if not _takes_anything(one, contract, domains)]
    meaning = {
        "topic": {name: getattr(topic, name) for name in _NAMED},
        "columns": sorted((_row_meaning(one, contract) for one in counted), key=lambda one: str(one["name"])),
        "rules": [{"name": rule.name, "expression": rule.expression} for rule in contract.rules],
        "leaves_out_rows": contract.evolution is Evolution.DISCARD_ROW,
        "domains": dict(domains),
        "tenant": tenant,
    }
    return fingerprint("received", meaning)


def _takes_anything(column: Column, contract: Contract, domains: Mapping[str, str]) -> bool:
    if contract.evolution is Evolution.DISCARD_ROW:  # then it says which rows have a column that is unknown
        return False
    plain = Column(column.id, column.name, LogicalType.STRING, False, column.description, column.classification)
    others = {_spelled(name) for one in contract.columns if one != column for name in (one.name, *one.aliases)}
    bound = column.name in contract.key or column.name in domains or _spelled(column.name) in others
    return column == plain and not bound


def _row_meaning(column: Column, contract: Contract) -> dict[str, object]:
    facts = {name: value for name, value in asdict(column).items() if name not in _UNSEEN}
    return facts | {"required": column.required or column.name in contract.key}


def _spelled(name: str) -> str:
    """As generously as columns are found by it."""
    return "".join(character for character in name.casefold() if character.isalnum())
