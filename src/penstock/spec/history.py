"""Datasets whose silver keeps every version of a key: what their sources have to agree on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from penstock.spec import delivery_file
from penstock.spec import source_file as keys
from penstock.spec.contract import Contract, Evolution, snapshots_name
from penstock.spec.delivery_file import MODE, VERSION
from penstock.spec.document import Place
from penstock.spec.problems import Problems
from penstock.spec.shape import Fields
from penstock.spec.source import DeliveryMode, Source
from penstock.spec.stream_file import DeclaredStreams
from penstock.spec.stream_keys import DATASET as TOPIC_DATASET
from penstock.spec.stream_keys import LAKE


def with_history(contracts: Mapping[str, Contract], sources: Mapping[str, Source]) -> dict[str, Contract]:
    """Each contract with the column that is a row's version, where its sources keep every version."""
    columns = {source.dataset: source.delivery.version for source in sources.values() if source.delivery.version}
    return {name: replace(contract, history=columns.get(name)) for name, contract in contracts.items()}


def judge_histories(
    sources: Iterable[tuple[Fields | None, Path]],
    contracts: Mapping[str, Contract],
    streams: Sequence[DeclaredStreams],
    problems: Problems,
) -> None:
    """Sources of one dataset agree on its version, and a snapshot is the whole truth: nothing else feeds its dataset."""
    by_dataset: dict[str, list[Fields]] = {}
    for fields, _ in sources:
        if fields is not None and (dataset := fields.get(keys.DATASET)) is not None:
            by_dataset.setdefault(dataset, []).append(fields)
    topics = {topic.get(TOPIC_DATASET) for file in streams for topic in file.topics if topic.get(LAKE) is not False}
    for dataset, feeding in by_dataset.items():
        keeping = [fields for fields in feeding if _mode(fields).keeps_versions]
        if keeping:
            _judge_agreement(dataset, feeding, keeping[0], problems)
        for fields in keeping:
            if _mode(fields) is DeliveryMode.SNAPSHOT:
                _judge_snapshot(dataset, fields, feeding, contracts, topics, problems)


def _mode(fields: Fields) -> DeliveryMode:
    section = fields.get(keys.DELIVERY_KEY)
    return (None if section is None else section.get(MODE)) or DeliveryMode.APPEND


def _version(fields: Fields) -> str | None:
    section = fields.get(keys.DELIVERY_KEY)
    return None if section is None else section.get(VERSION)


def _judge_agreement(dataset: str, feeding: Sequence[Fields], first: Fields, problems: Problems) -> None:
    for fields in feeding:
        if _version(fields) != _version(first):
            place = fields.place(keys.DATASET) if _version(fields) is None else _place(fields)
            problems.add(
                place,
                f"The sources of `{dataset}` do not agree on what a version is",
                expected=f"`version: {_version(first)}`, as in {_place(first).file}",
                found=f"`{_version(fields)}`" if _version(fields) is not None else f"mode `{_mode(fields)}`",
                remedy="Declare the same mode and version for all of them, or give one a dataset of its own.",
            )


def _judge_snapshot(
    dataset: str,
    fields: Fields,
    feeding: Sequence[Fields],
    contracts: Mapping[str, Contract],
    topics: set[str | None],
    problems: Problems,
) -> None:
    if len(feeding) > 1 or dataset in topics:
        problems.add(
            _place(fields),
            f"More than one source feeds `{dataset}`, so no file is its whole truth",
            expected="the snapshots alone",
            remedy="Give the other source or topic a dataset of its own.",
        )
    contract = contracts.get(dataset)
    if contract is not None and contract.evolution is Evolution.DISCARD_ROW:
        problems.add(
            _place(fields),
            "A snapshot that leaves out rows is not whole",
            expected="an evolution other than `discard_row`",
            remedy=f"Declare another `penstock.evolution` in {contract.path.name}.",
        )
    if snapshots_name(dataset) in contracts:
        problems.add(
            _place(fields),
            f"`silver.{snapshots_name(dataset)}` is the table of the snapshots, and a dataset has its name",
            remedy=f"Rename the dataset `{snapshots_name(dataset)}`.",
        )


def _place(fields: Fields) -> Place:
    section = fields.get(keys.DELIVERY_KEY)
    return fields.node.place if section is None else section.place(delivery_file.VERSION)
