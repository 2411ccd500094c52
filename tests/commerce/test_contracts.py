"""The contracts of the shop: whose the data is, what is personal, and that they describe what the simulator delivers."""

from __future__ import annotations

import pytest
from simulator.column import Kind
from simulator.options import Options
from simulator.shop import Shop, simulate
from simulator.table import KEYS

from penstock.spec.contract import Classification, Contract, Evolution, LogicalType
from penstock.spec.loading import load_project
from penstock.spec.project import Project
from penstock.spec.source import DeliveryMode, FileFormat
from tests.one_process import COMMERCE

PLAIN = {"plain_products", "plain_transactions", "stream_events", "payment_events"}
LIVE = {"order_lines"}
KINDS = {
    Kind.NUMBER: LogicalType.INTEGER,
    Kind.ID: LogicalType.STRING,
    Kind.CHOICE: LogicalType.STRING,
    Kind.MONEY: LogicalType.DECIMAL,
    Kind.RATE: LogicalType.DECIMAL,
    Kind.BASIS: LogicalType.DECIMAL,
    Kind.FLAG: LogicalType.BOOLEAN,
    Kind.INSTANT: LogicalType.TIMESTAMP,
    Kind.DAY: LogicalType.DATE,
}


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(COMMERCE, environment={"COMMERCE_INBOX": "/inbox"})


@pytest.fixture(scope="module")
def shop() -> Shop:
    return simulate(Options(customers=20, products=10, orders=60, days=20))


OF_ORDER = ("order_currency", "order_placed_at", "order_is_test")
TOLD_LIVE = {
    "order_events": (*OF_ORDER, "ordered_quantity", "ordered_gross", "ordered_discount"),
    "refund_lines": OF_ORDER,
}


def test_there_is_a_contract_for_every_dataset(project: Project) -> None:
    assert set(project.contracts) == set(KEYS) | PLAIN | LIVE


def test_every_dataset_has_an_owner_and_every_column_a_meaning(project: Project) -> None:
    for contract in project.contracts.values():
        assert contract.owner
        assert contract.description
        assert all(column.description for column in contract.columns), contract.dataset


@pytest.mark.parametrize("dataset", TOLD_LIVE)
def test_what_is_only_told_live_may_be_absent(project: Project, dataset: str) -> None:
    contract = project.contracts[dataset]

    assert not any(contract.column(name).required for name in TOLD_LIVE[dataset])


@pytest.mark.parametrize("dataset", KEYS)
def test_a_contract_has_the_columns_and_the_key_that_are_delivered(project: Project, shop: Shop, dataset: str) -> None:
    contract, table = project.contracts[dataset], shop.tables[dataset]
    in_files = [column for column in contract.columns if column.name not in TOLD_LIVE.get(dataset, ())]

    assert [(column.name, column.type) for column in in_files] == [
        (name, KINDS[column.kind]) for name, column in table.columns.items()
    ] or sorted(column.name for column in in_files) == sorted(table.columns)
    assert contract.identity == table.key
    assert all(contract.column(name).type is KINDS[column.kind] for name, column in table.columns.items())


def test_every_key_begins_with_the_store_but_that_of_rates(project: Project) -> None:
    others = {name for name, contract in project.contracts.items() if contract.key[0] != "store_id"}

    assert others == PLAIN | {"fx_rates"}


def test_what_names_a_person_is_personal(project: Project) -> None:
    personal = {
        (contract.dataset, column.name)
        for contract in project.contracts.values()
        for column in contract.columns
        if column.classification is Classification.PERSONAL
    }
    names = {"email", "first_name", "last_name", "phone", "city"}

    assert personal == {("customers", name) for name in names} | {
        *((dataset, "location") for dataset in ("payments", "payment_events")),
    }


def test_a_number_of_a_customer_is_a_pseudonym_wherever_it_stands(project: Project) -> None:
    for contract in project.contracts.values():
        for column in contract.columns:
            if column.name in ("customer_id", "user_id", "anonymous_id", "id_value", "person_id"):
                assert column.classification is Classification.PSEUDONYM, (contract.dataset, column.name)


def test_what_has_versions_keeps_them_all_and_the_rest_is_corrected_by_file(project: Project) -> None:
    for dataset in KEYS:
        contract, source = project.contracts[dataset], project.sources[dataset]
        versioned = any(column.name == "updated_at" for column in contract.columns)
        latest = contract.dedupe.order_by == "updated_at"
        expected = DeliveryMode.UPSERT if versioned else DeliveryMode.REPLACE_FILE
        assert source.delivery.mode is (DeliveryMode.APPEND if latest else expected), dataset
        assert source.optional
        assert source.globs == (f"/inbox/{dataset}/*.{source.format.value}",)
        assert latest or contract.history == ("updated_at" if versioned else None)


def test_three_formats_are_delivered(project: Project, shop: Shop) -> None:
    assert {project.sources[name].format for name in KEYS} == {FileFormat.CSV, FileFormat.NDJSON, FileFormat.PARQUET}
    assert all(project.sources[name].format.value == shop.tables[name].format for name in KEYS)


def test_every_evolution_mode_is_in_use(project: Project) -> None:
    assert {contract.evolution for contract in project.contracts.values()} == set(Evolution)


def test_lines_refer_to_their_order_and_order_to_its_customer(project: Project) -> None:
    def references(contract: Contract) -> set[tuple[str, tuple[str, ...]]]:
        return {(reference.dataset, reference.columns) for reference in contract.references}

    assert ("customers", ("store_id", "customer_id")) in references(project.contracts["orders"])
    for dataset in ("refund_lines", "return_lines", "shipment_lines"):
        line = ("order_items", ("store_id", "order_id", "order_line_no"))
        assert line in references(project.contracts[dataset])
