"""Loading a project: every declaration read, held against the others, and every problem reported at once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from penstock.errors import DeclarationError
from penstock.spec.agreement import Datasets, judge_reference, judge_source
from penstock.spec.check_file import CHECK_NAME, read_checks
from penstock.spec.contract import Contract
from penstock.spec.contract_file import DeclaredContract, make_contract, read_contract
from penstock.spec.document import Node, Place
from penstock.spec.endpoint import Endpoint
from penstock.spec.endpoint_file import judge_endpoints, read_endpoints
from penstock.spec.endpoint_keys import ENDPOINT_FILE
from penstock.spec.fingerprint import fingerprint
from penstock.spec.folder import PROJECT_FILE, Folder, require_project
from penstock.spec.history import judge_histories, with_history
from penstock.spec.live_endpoint import LiveEndpoint, LiveMeasure
from penstock.spec.live_file import judge_live, read_live
from penstock.spec.problems import Problems
from penstock.spec.project import Check, Project, Retention
from penstock.spec.project_file import (
    PROJECT_DESCRIPTION,
    PROJECT_NAME,
    TENANT_KEY,
    quality_of,
    read_project_file,
    retention_of,
    serving_of,
)
from penstock.spec.shape import Fields, Key
from penstock.spec.source import Source
from penstock.spec.source_file import DATASET, SOURCE_NAME, make_source, read_source
from penstock.spec.stream import Streams
from penstock.spec.stream_file import DeclaredStreams, make_streams, read_streams
from penstock.spec.stream_judge import judge_streams
from penstock.spec.stream_keys import TOPIC_NAME
from penstock.spec.stream_models import read_models

PROFILE = "PENSTOCK_PROFILE"  # environment variable that names the profile whose checks count too


def load_project(root: Path, *, environment: Mapping[str, str] | None = None) -> Project:
    """The project declared in a folder.

    `environment` stands for the process environment in `${NAME}` of declared paths. Raises
    DeclarationError, whose `problems` hold every mistake found, each with file:line:column (relative
    to `root`), what was expected, what was found and what to do.
    """
    require_project(Path(root))
    loading = _Loading(Path(root), os.environ if environment is None else environment)
    project = loading.project()
    loading.problems.raise_any(str(root))
    if project is None:
        raise DeclarationError("The project could not be read", where=str(root), remedy="Report this as a defect.")
    return project


@dataclass
class _Loading:
    root: Path
    environment: Mapping[str, str]
    problems: Problems = field(default_factory=Problems)
    live: list[LiveEndpoint] = field(default_factory=list)
    measures: list[LiveMeasure] = field(default_factory=list)

    @property
    def folder(self) -> Folder:
        return Folder(self.root, self.problems)

    def project(self) -> Project | None:
        fields = self.folder.document(self.root / PROJECT_FILE, lambda node, _: read_project_file(node, self.problems))
        self.folder.refuse_misnamed()
        contracts = [contract for file in self.folder.documents("contracts", self._contracts) for contract in file]
        sources = list(self.folder.documents("sources", lambda node, path: (read_source(node, self.problems), path)))
        checks = [check for file in self.folder.documents("checks", self._checks) for check in file]
        endpoints = [endpoint for file in self.folder.documents("endpoints", self._endpoints) for endpoint in file]
        streams = list(self.folder.documents("streams", lambda node, path: read_streams(node, path, self.problems)))
        judge_endpoints([fields for fields, _ in endpoints], self.problems)
        self._judge_live([one.path for _, one in endpoints if one is not None])
        by_dataset = self._by_dataset(contracts)
        datasets = Datasets(by_dataset, self._knows_every_dataset(contracts))
        self._judge_agreement(contracts, sources, datasets)
        judge_streams(streams, datasets, self.problems)
        scoring = read_models(streams, self.root, self.problems)
        self._refuse_shared_names(sources, checks, streams)
        models, models_fingerprint = self.folder.models()
        tenant = "default" if fields is None else fields.get(TENANT_KEY) or "default"
        made_contracts = self._make_contracts(by_dataset, tenant)
        made_sources = self._make_sources(sources, made_contracts)
        judge_histories(sources, made_contracts, streams, self.problems)
        made_contracts = with_history(made_contracts, made_sources)
        made_checks = tuple(check for _, check in checks if check is not None)
        by_fingerprint = {name: contract.fingerprint for name, contract in made_contracts.items()}
        made_streams = make_streams(streams, by_fingerprint, scoring) if len(self.problems) == 0 else None
        made_endpoints = [endpoint for _, endpoint in endpoints if endpoint is not None]
        declared, made = len(contracts) + len(sources) + len(checks), len(made_contracts) + len(made_sources)
        if len(self.problems) > 0 or fields is None or made_streams is None or declared != made + len(made_checks):
            return None
        project = _assembled(
            self.root.resolve(),
            fields,
            made_contracts,
            made_sources,
            tuple(check for check in made_checks if check.profile in (None, self.environment.get(PROFILE))),
            tuple(sorted(made_endpoints, key=lambda endpoint: endpoint.path)),
            (models, models_fingerprint),
            made_streams,
        )
        return replace(project, live=tuple(self.live), measures=tuple(self.measures))

    def _contracts(self, node: Node, path: Path) -> tuple[DeclaredContract, ...]:
        return read_contract(node, path, self.problems)

    def _checks(self, node: Node, path: Path) -> tuple[tuple[Fields, Check | None], ...]:
        return read_checks(node, path, self.problems)

    def _endpoints(self, node: Node, path: Path) -> tuple[tuple[Fields, Endpoint | None], ...]:
        fields = ENDPOINT_FILE.read(node, "", self.problems)
        if fields is None:
            return ()
        live, measures = read_live(fields, self.problems)
        self.live.extend(live)
        self.measures.extend(measures)
        return read_endpoints(fields, self.problems)

    def _judge_live(self, released: Sequence[str]) -> None:
        for where, what in judge_live(self.live, self.measures, released):
            file, line, column = where.rsplit(":", 2)
            self.problems.add(Place(file, int(line), int(column)), what, remedy="Choose another one.")

    def _by_dataset(self, contracts: list[DeclaredContract]) -> dict[str, DeclaredContract]:
        found: dict[str, DeclaredContract] = {}
        for contract in contracts:
            if contract.name is None:
                continue
            if contract.name in found:
                self.problems.add(
                    contract.place,
                    f"The dataset `{contract.name}` is declared twice",
                    found=f"the first in {found[contract.name].place.file}",
                    remedy="Rename one of them.",
                )
            found.setdefault(contract.name, contract)
        return found

    def _knows_every_dataset(self, contracts: list[DeclaredContract]) -> bool:
        read = {contract.place.file for contract in contracts if contract.name is not None}
        return {self.folder.place(path).file for path in self.folder.files(self.root / "contracts")} == read and all(
            contract.name is not None for contract in contracts
        )

    def _judge_agreement(
        self,
        contracts: list[DeclaredContract],
        sources: list[tuple[Fields | None, Path]],
        datasets: Datasets,
    ) -> None:
        for contract in contracts:
            for reference in contract.references:
                judge_reference(contract, reference, datasets, self.problems)
        for fields, _ in sources:
            if fields is not None:
                judge_source(fields, datasets, self.problems)

    def _refuse_shared_names(
        self,
        sources: list[tuple[Fields | None, Path]],
        checks: list[tuple[Fields, Check | None]],
        streams: list[DeclaredStreams],
    ) -> None:
        declared = [fields for fields, _ in sources if fields is not None]
        self._refuse_twice("source", SOURCE_NAME, declared)
        self._refuse_source_names({fields.get(SOURCE_NAME) for fields in declared}, streams)
        self._refuse_twice("check", CHECK_NAME, [fields for fields, _ in checks])

    def _refuse_source_names(self, sources: set[str | None], streams: list[DeclaredStreams]) -> None:
        """A topic and a source each have a bronze table of their name."""
        for topic in (topic for file in streams for topic in file.topics):
            name = topic.get(TOPIC_NAME)
            if name is not None and name in sources:
                self.problems.add(
                    topic.place(TOPIC_NAME),
                    f"A source is called `{name}` too",
                    expected="a name of its own, for its raw rows are `bronze.<name>`",
                    remedy="Rename one of them.",
                )

    def _refuse_twice(self, what: str, key: Key[str], declared: list[Fields]) -> None:
        seen: dict[str, Place] = {}
        for fields in declared:
            name = fields.get(key)
            if name is None:
                continue
            place = fields.place(key)
            first = seen.setdefault(name, place)
            if first is not place:
                self.problems.add(
                    place,
                    f"The {what} `{name}` is declared twice",
                    found=f"the first at {first}",
                    remedy="Rename one of them.",
                )

    def _make_contracts(self, by_dataset: dict[str, DeclaredContract], tenant: str) -> dict[str, Contract]:
        made = {name: make_contract(declared, tenant=tenant) for name, declared in by_dataset.items()}
        return {name: contract for name, contract in sorted(made.items()) if contract is not None}

    def _make_sources(
        self, sources: list[tuple[Fields | None, Path]], contracts: dict[str, Contract]
    ) -> dict[str, Source]:
        made = []
        for fields, path in sources:
            contract = None if fields is None else contracts.get(fields.get(DATASET) or "")
            parents = () if contract is None else (contract.fingerprint,)
            if fields is not None:
                made.append(make_source(fields, path, self.environment, self.problems, parents=parents))
        return {source.name: source for source in sorted(filter(None, made), key=lambda source: source.name)}


def _assembled(
    root: Path,
    fields: Fields,
    contracts: dict[str, Contract],
    sources: dict[str, Source],
    checks: tuple[Check, ...],
    endpoints: tuple[Endpoint, ...],
    models: tuple[Path | None, str],
    streams: Streams,
) -> Project:
    retention = retention_of(fields)
    target, alert = quality_of(fields)
    return Project(
        root=root,
        name=fields[PROJECT_NAME],
        tenant=fields[TENANT_KEY],
        description=fields[PROJECT_DESCRIPTION],
        contracts=MappingProxyType(contracts),
        sources=MappingProxyType(sources),
        checks=checks,
        models=models[0],
        models_fingerprint=models[1],
        retention=retention,
        quality_target=target,
        quality_alert=alert,
        fingerprint=_fingerprint(fields, contracts, sources, checks, endpoints, models[1]),
        endpoints=endpoints,
        serving=serving_of(fields),
        streams=streams,
    )


def _fingerprint(
    fields: Fields,
    contracts: dict[str, Contract],
    sources: dict[str, Source],
    checks: tuple[Check, ...],
    endpoints: tuple[Endpoint, ...],
    models_fingerprint: str,
) -> str:
    """Everything declared, descriptions and owners included: it says which declarations a release was made from.
    How the API is served is left out: it does not touch what is released."""
    target, alert = quality_of(fields)
    meaning = {
        "name": fields[PROJECT_NAME],
        "description": fields[PROJECT_DESCRIPTION],
        "tenant": fields[TENANT_KEY],
        "retention": _younger_if_declared(asdict(retention_of(fields)), "records_for", Retention().records_for),
        "quality": {"target": target, "alert": alert},
        "contracts": [_everything(asdict(contract)) for contract in contracts.values()],
        "sources": [
            {"description": source.description, "optional": source.optional, "settle": source.settle}
            for source in sources.values()
        ],
        "checks": [check.description for check in checks],
        "models": models_fingerprint,
    }
    declared: list[Contract | Source | Check | Endpoint] = [*contracts.values(), *sources.values(), *checks, *endpoints]
    return fingerprint("project", meaning, [declaration.fingerprint for declaration in declared])


def _everything(facts: dict[str, object]) -> dict[str, object]:
    """`history` is younger than fingerprints; the sources that declare it count by themselves. Where something stands
    means nothing."""
    return {name: value for name, value in facts.items() if name not in ("path", "places", "history")}


def _younger_if_declared(facts: dict[str, object], name: str, usual: object) -> dict[str, object]:
    """A key that is younger than fingerprints counts where it is declared otherwise."""
    return {key: value for key, value in facts.items() if key != name or value != usual}
