"""What a model by key made anew is read where it is kept, by models that ask for rows of affected keys."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import duckdb

from penstock.transform.graph import Graph, Node, NodeType
from penstock.transform.handing import handed_on, made, read_made
from penstock.transform.narrowing import Proven, narrowed

ASKED = """(
        select given.*
        from "warehouse"."gold"."{name}" as given
        semi join "warehouse"."gold"."{affected}" as affected
            on given.{one} is not distinct from affected.shop and given.number is not distinct from affected.number
    )"""


def node(name: str, **more: object) -> Node:
    given = {"id": name, "name": name, "schema": "gold", "materialized": "table", "strategy": None} | more
    return Node(type=NodeType.MODEL, selector=name, parents=(), code="", path="", **given)  # type: ignore[arg-type]


KEYS = {"shop": "shop", "number": "number"}
SALES = node("sales", materialized="incremental", strategy="by_key", keys=KEYS, affected="changed")
MODELS = (SALES, node("changed"), node("others"))


def asking(name: str = "sales", affected: str = "changed", one: str = "shop") -> str:
    return f"select count(*) from {ASKED.format(name=name, affected=affected, one=one)} as sales"


def test_rows_of_the_same_affected_keys_are_read_where_they_are_kept() -> None:
    assert handed_on(MODELS, [asking()]) == {"gold.sales"}
    assert read_made(asking(), [SALES], MODELS) == f"select count(*) from {made('gold.sales')} as sales"


def test_a_test_of_affected_keys_alone_finds_them_there_too() -> None:
    test = replace(node("few_sales"), type=NodeType.TEST)
    joined = "given.shop is not distinct from affected.shop and given.number is not distinct from affected.number"
    written = (
        'select * from (select given.* from "warehouse"."gold"."sales" as given'
        f' /* semi join "warehouse"."gold"."changed" as affected on {joined} */) where n < 0'
    )
    sql = narrowed(test, Graph({}, {}), written, Proven(by_key=frozenset([test.id])))
    assert read_made(sql, [SALES], MODELS) == f"select * from {made('gold.sales')} where n < 0"
    assert read_made(written, [SALES], MODELS) == written


def test_rows_of_a_model_that_did_not_move_are_looked_for_in_its_table() -> None:
    assert read_made(asking(), [], MODELS) == asking()


def test_rows_of_another_list_of_keys_are_read_where_they_are_kept_and_the_others_as_they_stand() -> None:
    sql = asking(affected="others")
    assert handed_on(MODELS, [sql]) == {"gold.sales"}
    with duckdb.connect() as connection:
        connection.execute("""
            ATTACH ':memory:' AS warehouse;
            CREATE SCHEMA warehouse.gold;
            CREATE SCHEMA warehouse.changes;
            CREATE TABLE warehouse.gold.changed AS FROM (VALUES ('a', 1), ('a', 2), (NULL, 3), ('b', 4)) AS t(shop, number);
            CREATE TABLE warehouse.gold.others AS FROM (VALUES ('a', 2), (NULL, 3), ('b', 4), ('a', 5), ('b', NULL)) AS t(shop, number);
            CREATE TABLE warehouse.changes."gold.sales made" AS
                FROM (VALUES ('a', 1, 'x'), ('a', 2, 'x'), ('a', 2, 'y'), (NULL, 3, 'x')) AS t(shop, number, said);
            CREATE TABLE warehouse.gold.sales AS FROM warehouse.changes."gold.sales made";
            INSERT INTO warehouse.gold.sales VALUES ('a', 5, 'z'), ('b', NULL, 'z'), ('b', 6, 'z');
        """)
        asked = connection.execute(sql.replace("count(*)", "*")).fetchall()
        read = connection.execute(read_made(sql, [SALES], MODELS).replace("count(*)", "*")).fetchall()
    assert len(asked) == 5
    assert Counter(read) == Counter(asked)


def test_other_keys_and_tables_not_by_key_are_read_as_asked() -> None:
    for sql in (asking(one="owner"), asking(name="others")):
        assert handed_on(MODELS, [sql]) == frozenset()
        assert read_made(sql, [SALES], MODELS) == sql
