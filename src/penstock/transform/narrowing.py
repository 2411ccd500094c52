"""Tests of a model that grew look at the rows that came: its other rows were released, so they passed."""

from __future__ import annotations

from penstock.sql.names import quote
from penstock.transform import warehouse
from penstock.transform.graph import Node

_OF_A_ROW = {"not_null", "accepted_values", "complete", "holds"}
_OF_A_KEY = {"unique", "unique_together"}


def narrowed(test: Node, model: Node, sql: str, came: str) -> str:
    """The SQL of a test for the rows of `came`, a SELECT of the model's rows that the base did not have.

    A test of rows reads only those, a test of keys all rows that share the key of one. Any other test, and one that
    does not block a release (so that older rows may fail it), stays what it is.
    """
    name = warehouse.relation(model.table)
    if test.severity != "error" or test.tested != model.id:
        return sql
    if test.test_name in _OF_A_ROW:
        return sql.replace(name, f"({came})")
    if test.test_name in _OF_A_KEY and test.test_columns:
        same = " AND ".join(
            f"held.{quote(column)} IS NOT DISTINCT FROM came.{quote(column)}" for column in test.test_columns
        )
        return sql.replace(name, f"(SELECT held.* FROM {name} AS held SEMI JOIN ({came}) AS came ON {same})")
    return sql
