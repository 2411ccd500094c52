"""A batch comes out as typed rows and as rejected rows that say everything that is wrong with them."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.conform.batch import Conformed, Conformer
from penstock.conform.columns import SYSTEM, Rivals, pseudonym_domains, resolve, rivals
from penstock.conform.counts import Counts
from penstock.errors import DeclarationError, SourceError
from penstock.spec.contract import Classification, Contract, Dedupe, Evolution, LogicalType, Reference, RowRule
from penstock.spec.source import Reading
from penstock.sql.connection import connect
from tests.conform.declared import NOW, bronze, column, contract
from tests.sql.canonical_oracle import net, row_hash

KEY = b"test key"


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    return connect(threads=1)


def check(
    connection: duckdb.DuckDBPyConnection,
    declared: Contract,
    rows: Sequence[Mapping[str, str | None]],
    reading: Reading = Reading(),  # noqa: B008
    **more: object,
) -> Conformed:
    conformer = Conformer(declared, reading, tenant="default", pseudonym_key=KEY, **more)  # type: ignore[arg-type]
    return conformer.check(connection, bronze(connection, rows))


def rows_of(connection: duckdb.DuckDBPyConnection, table: str) -> list[dict[str, object]]:
    found = connection.execute(f"SELECT * FROM {table} ORDER BY _line")
    return [dict(zip([c[0] for c in found.description], row, strict=True)) for row in found.fetchall()]


def reasons(connection: duckdb.DuckDBPyConnection, found: Conformed) -> list[list[tuple[str, str, str | None]]]:
    rows = [json.loads(str(row["reasons"])) for row in rows_of(connection, found.rejected)]
    return [[(reason["code"], reason["column"], reason["found"]) for reason in row] for row in rows]


def test_an_accepted_row_is_typed_and_keeps_where_it_came_from(connection: duckdb.DuckDBPyConnection) -> None:
    declared = contract(
        column("code"),
        column("quantity", LogicalType.INTEGER),
        column("price", LogicalType.DECIMAL, precision=10, scale=3),
        column("day", LogicalType.DATE),
        column("at", LogicalType.TIMESTAMP),
    )
    row = {"code": " x ", "quantity": "6.0", "price": "2.55", "day": "2024-02-29", "at": "2010-12-01 08:26:00"}
    found = check(connection, declared, [row])
    assert rows_of(connection, found.accepted) == [
        {
            "code": " x ",
            "quantity": 6,
            "price": Decimal("2.550"),
            "day": date(2024, 2, 29),
            "at": datetime(2010, 12, 1, 8, 26, tzinfo=UTC),
            "_tenant": "default",
            "_source": "source",
            "_file": "a.csv",
            "_line": 2,
            "_file_id": "id of a.csv",
            "_ingested_at": NOW,
            "_batch": 1,
        }
    ]
    assert found.counts == Counts(rows_in=1, accepted=1)


def test_a_rejected_row_names_every_violated_rule_and_keeps_the_row_as_read(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    declared = contract(
        column("code", required=True, pattern="^[A-Z]+$", max_length=3),
        column("quantity", LogicalType.INTEGER, minimum="1"),
        column("share", LogicalType.DECIMAL, precision=3, scale=2, maximum="0.5", enum=("0.10", "0.20")),
        rules=[RowRule("small_share", "quantity > 5 OR share < 0.3")],
    )
    row = {"code": "abcd", "quantity": "-2", "share": "0.9", "other": 'quo"te'}
    found = check(connection, declared, [row, {"code": None, "quantity": "1.5", "share": "12.345", "other": None}])
    assert reasons(connection, found) == [
        [
            ("max_length", "code", "abcd"),
            ("pattern", "code", "abcd"),
            ("minimum", "quantity", "-2"),
            ("enum", "share", "0.9"),
            ("maximum", "share", "0.9"),
            ("rule", "small_share", "quantity=-2, share=0.9"),
        ],
        [
            ("required", "code", None),
            ("type", "quantity", "1.5"),
            ("scale", "share", "12.345"),
            ("range", "share", "12.345"),
        ],
    ]
    first = rows_of(connection, found.rejected)[0]
    assert list(first)[:7] == list(SYSTEM)
    assert (first["_file"], first["_line"], first["stage"], first["status"]) == ("a.csv", 2, "conform", "open")
    assert first["codes"] == ["max_length", "pattern", "minimum", "enum", "maximum", "rule"]
    assert (json.loads(str(first["row"])), first["raw"], first["contract"]) == (row, None, "fingerprint")
    assert found.counts == Counts(rows_in=2, quarantined=2)


def test_a_long_value_is_shown_short_and_a_personal_one_not_at_all(connection: duckdb.DuckDBPyConnection) -> None:
    personal = Classification.PERSONAL
    declared = contract(
        column("note", max_length=5),
        column("mail", classification=personal, pattern="@"),
        rules=[RowRule("differ", "note <> mail")],
    )
    found = check(connection, declared, [{"note": "x" * 500, "mail": "secret"}, {"note": "me", "mail": "me"}])
    shown = reasons(connection, found)
    assert shown[0] == [("max_length", "note", "x" * 99 + "…"), ("pattern", "mail", "(hidden)")]
    assert shown[1] == [("pattern", "mail", "(hidden)"), ("rule", "differ", "note=me")]


def test_columns_are_found_by_mapping_name_alias_and_loosely() -> None:
    declared = contract(column("a"), column("b"), column("c", aliases=("old c",)), column("unit_price"), column("e"))
    found = resolve(declared, Reading(mapping=(("a", "A!"),)), ["old c", "c", "A!", "Unit Price", "b", "x", "_line"])
    assert found.sources == {"a": ("A!",), "b": ("b",), "c": ("c", "old c"), "unit_price": ("Unit Price",)}
    assert (found.missing, found.unknown) == (("e",), ("x",))


@given(st.permutations(["fee", "Fee", "FEE!", "f e e", "paid", "PAID", "_fee_", "x"]), st.integers(1, 7))
def test_a_column_feeds_the_same_whatever_other_deliveries_bring(names: list[str], cut: int) -> None:
    """Bronze has the columns of all files that came so far; what a file gives must not hang on that."""
    declared = contract(column("fee", aliases=("paid",)), column("title"))
    alone = resolve(declared, Reading(), names[:cut])
    together = resolve(declared, Reading(), names)
    assert alone.sources.get("fee", ()) == tuple(n for n in together.sources["fee"] if n in names[:cut])
    assert alone.unknown == tuple(name for name in names[:cut] if name in together.unknown)


def test_a_mapped_header_is_found_whatever_its_case_blanks_and_signs() -> None:
    declared = contract(column("amount"), column("amount_net"))
    found = resolve(declared, Reading(mapping=(("amount", "Amount net"),)), ["AMOUNT-NET", "x"])
    assert (found.sources, found.unknown) == ({"amount": ("AMOUNT-NET",)}, ("x",))


def test_constants_and_other_columns_fill_what_the_files_do_not_have(connection: duckdb.DuckDBPyConnection) -> None:
    declared = contract(
        column("shelf", required=True, enum=("A", "B")),
        column("lent", LogicalType.DATE, required=True),
        column("seen", LogicalType.DATE, required=True),
        column("fee", LogicalType.DECIMAL, precision=6, scale=2),
    )
    reading = Reading(constants=(("fee", "1.5"), ("shelf", "A")), same_as=(("seen", "lent"),), null_values=("A",))
    found = check(connection, declared, [{"lent": "2024-02-29"}, {"lent": "2024-02-30"}], reading)
    rows = [(row["shelf"], row["lent"], row["seen"], row["fee"]) for row in rows_of(connection, found.accepted)]
    assert rows == [("A", date(2024, 2, 29), date(2024, 2, 29), Decimal("1.50"))]
    assert found.counts.quarantined == 1


def test_a_mapped_column_is_not_looked_for_by_its_own_name() -> None:
    declared = contract(column("amount"))
    found = resolve(declared, Reading(mapping=(("amount", "Amount net"),)), ["Amount net", "Amount"])
    assert (found.sources, found.unknown) == ({"amount": ("Amount net",)}, ("Amount",))


def test_more_than_one_way_onto_a_column_is_named() -> None:
    declared = contract(column("amount"), column("fee", aliases=("paid",)), column("title"))
    found = rivals(declared, Reading(mapping=(("amount", "net"),)), ["Amount", "net", "paid", "Fee", "title", "x"])
    assert found == (Rivals("amount", ("net",), ("Amount",)), Rivals("fee", ("paid", "Fee"), ()))
    assert rivals(declared, Reading(), ["Amount", "net", "paid", "title"]) == ()


def test_a_column_that_another_one_maps_to_is_not_taken_by_name() -> None:
    declared = contract(column("a"), column("b"))
    assert resolve(declared, Reading(mapping=(("a", "b"),)), ["b"]).sources == {"a": ("b",)}


def test_rows_of_before_and_after_a_rename_are_read_together(connection: duckdb.DuckDBPyConnection) -> None:
    declared = contract(column("quantity", LogicalType.INTEGER, aliases=("qty",), required=True))
    found = check(connection, declared, [{"qty": "1", "quantity": None}, {"qty": None, "quantity": "2"}])
    assert [row["quantity"] for row in rows_of(connection, found.accepted)] == [1, 2]


def test_a_missing_optional_column_is_null_and_a_missing_required_one_rejects(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    optional = contract(column("a"), column("b", LogicalType.INTEGER))
    assert rows_of(connection, check(connection, optional, [{"a": "x"}]).accepted)[0]["b"] is None
    needed = contract(column("a"), column("b", LogicalType.INTEGER, required=True))
    assert reasons(connection, check(connection, needed, [{"a": "x"}])) == [[("missing_column", "b", None)]]


def test_a_key_must_have_a_value_even_if_not_declared_required(connection: duckdb.DuckDBPyConnection) -> None:
    found = check(connection, contract(column("a"), column("b"), key=["a"]), [{"a": "", "b": "x"}])
    assert reasons(connection, found) == [[("required", "a", None)]]


def test_a_personal_key_is_stored_as_its_keyed_hash(connection: duckdb.DuckDBPyConnection) -> None:
    declared = contract(column("who", LogicalType.INTEGER, classification=Classification.PERSONAL), key=["who"])
    found = check(connection, declared, [{"who": "17850.0"}])
    message = net("default") + net("id_who") + net("17850")
    row = rows_of(connection, found.accepted)[0]
    assert row["who"] == hmac.new(KEY, message.encode(), hashlib.sha256).hexdigest()
    assert row["_row_hash"] == row_hash("default", {"id_who": row["who"]})


def test_a_reference_to_a_personal_key_has_the_same_pseudonym(connection: duckdb.DuckDBPyConnection) -> None:
    personal = Classification.PERSONAL
    people = contract(column("who", classification=personal), key=["who"])
    visits = contract(
        column("visitor", classification=personal), references=[Reference(("visitor",), "people", ("who",))]
    )
    stored = rows_of(connection, check(connection, people, [{"who": "ann"}]).accepted)[0]["who"]
    domains = pseudonym_domains(visits, {"people": people})
    found = check(connection, visits, [{"visitor": "ann"}], domains=domains)
    assert rows_of(connection, found.accepted)[0]["visitor"] == stored


def test_a_horizon_opens_a_key_at_its_order(connection: duckdb.DuckDBPyConnection) -> None:
    declared = contract(
        column("k"), column("day", LogicalType.DATE), key=["k"], dedupe=Dedupe("day", timedelta(days=1))
    )
    row = rows_of(connection, check(connection, declared, [{"k": "a", "day": "2024-01-01"}]).accepted)[0]
    assert (row["_opened"], row["_row_hash"]) == (
        date(2024, 1, 1),
        row_hash("default", {"id_k": "a", "id_day": date(2024, 1, 1)}),
    )


def test_columns_of_any_name_can_stand_in_a_rule(connection: duckdb.DuckDBPyConnection) -> None:
    names = ["x", "row", "codes", "select", "reasons"]
    declared = contract(
        *map(column, names), rules=[RowRule("set", " AND ".join(f"\"{name}\" = '1'" for name in names))]
    )
    found = check(connection, declared, [dict.fromkeys(names, "1"), dict.fromkeys(names, "0")])
    assert found.counts == Counts(rows_in=2, accepted=1, quarantined=1)
    assert reasons(connection, found)[0][0][:2] == ("rule", "set")


def test_a_rule_passes_on_null_and_rejects_what_it_cannot_compute(connection: duckdb.DuckDBPyConnection) -> None:
    declared = contract(column("text"), rules=[RowRule("number", "CAST(text AS INTEGER) > 0")])
    found = check(connection, declared, [{"text": text} for text in ("1", "0", "", "x", "2")])
    assert [row["_line"] for row in rows_of(connection, found.accepted)] == [2, 4, 6]
    assert [row[0][0] for row in reasons(connection, found)] == ["rule", "rule"]


@pytest.mark.parametrize(
    "expression",
    [
        "other > 1", "t.a > 1", "(SELECT 1) = 1", "sum(a) > 1", "random() > a", "now() > b", "current_date > b",
        "getenv('HOME') = b", "read_text('/etc/passwd') = b", "row_number() OVER () > 1", "a >", "a = $1", "*",
        "a > 1; DROP TABLE x", "EXISTS (SELECT 1)", "a IN (SELECT 1)", "list_transform([a], x -> x) = b",
    ],
)  # fmt: skip
def test_a_rule_may_use_its_own_row_only(connection: duckdb.DuckDBPyConnection, expression: str) -> None:
    declared = contract(column("a", LogicalType.INTEGER), column("b"), rules=[RowRule("r", expression)])
    with pytest.raises(DeclarationError, match="rule r"):
        check(connection, declared, [{"a": "1", "b": "x"}])


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("a BETWEEN 1 AND 3 AND b LIKE 'C%'", True),
        ("starts_with(b, 'C') OR a < 0", True),
        ("date_diff('day', d, DATE '2024-01-03') = 2", True),
        ("d + INTERVAL 1 DAY > DATE '2024-01-02'", False),
        ("CASE WHEN b IS NULL THEN FALSE ELSE length(b) = 2 END", True),
        ("\"a\" % 2 = 1 AND regexp_matches(B, '^C[0-9]$')", False),
        ("year(d) = 2024 AND coalesce(a, 0) * 2 = 4 AND a::VARCHAR = '2'", True),
    ],
)
def test_a_rule_is_plain_sql_over_typed_columns(
    connection: duckdb.DuckDBPyConnection, expression: str, holds: bool
) -> None:
    columns = (column("a", LogicalType.INTEGER), column("b"), column("d", LogicalType.DATE))
    declared = contract(*columns, rules=[RowRule("r", expression)])
    found = check(connection, declared, [{"a": "2", "b": "C1", "d": "2024-01-01"}])
    assert found.counts.accepted == int(holds)


def test_values_of_unknown_columns_follow_the_declared_evolution(connection: duckdb.DuckDBPyConnection) -> None:
    rows: list[dict[str, str | None]] = [{"a": "1", "new": "x"}, {"a": "2", "new": ""}, {"a": "3", "new": None}]

    def checked(evolution: Evolution) -> Conformed:
        return check(connection, contract(column("a"), evolution=evolution), rows)

    assert checked(Evolution.EVOLVE).counts == Counts(rows_in=3, accepted=3)
    discarded = checked(Evolution.DISCARD_VALUE)
    assert (discarded.counts, discarded.discarded) == (Counts(rows_in=3, accepted=3), {"new": 1})
    assert checked(Evolution.DISCARD_ROW).counts == Counts(rows_in=3, accepted=2, filtered=1)
    with pytest.raises(SourceError, match="new"):
        checked(Evolution.FREEZE)


def test_an_empty_batch_has_no_rows_and_all_columns(connection: duckdb.DuckDBPyConnection) -> None:
    relation = bronze(connection, [], columns=["a"])
    found = Conformer(contract(column("a")), Reading(), tenant="default", pseudonym_key=KEY).check(connection, relation)
    assert found.counts == Counts()
    assert [c[0] for c in connection.execute(f"SELECT * FROM {found.accepted}").description] == ["a", *SYSTEM]


def test_the_secret_stands_in_no_error(connection: duckdb.DuckDBPyConnection) -> None:
    declared = contract(column("a", classification=Classification.PERSONAL, pattern="(?=x)"), key=["a"])
    with pytest.raises(DeclarationError) as refusal:
        check(connection, declared, [{"a": "x"}])
    pad = "".join(f"\\x{byte ^ 0x36:02X}" for byte in KEY)
    assert pad not in f"{refusal.value} {refusal.value.__cause__} {refusal.value.found}"
    assert "RE2" in str(refusal.value)


def test_quarantine_has_the_same_columns_whether_or_not_a_row_is_rejected(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    declared = contract(column("a", LogicalType.INTEGER))
    shapes = [
        connection.execute(f"DESCRIBE {check(connection, declared, [{'a': value}]).rejected}").fetchall()
        for value in ("1", "x")
    ]
    assert shapes[0] == shapes[1]


def test_temporary_relations_can_be_dropped(connection: duckdb.DuckDBPyConnection) -> None:
    found = check(connection, contract(column("a")), [{"a": "x"}])
    connection.execute("DROP TABLE bronze")
    found.drop(connection)
    assert connection.execute("SELECT count(*) FROM duckdb_tables()").fetchall() == [(0,)]
