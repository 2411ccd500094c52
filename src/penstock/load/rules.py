"""Which rules made silver's rows, and whether those declared now are others."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from penstock.conform.columns import pseudonym_domains
from penstock.spec.contract import Contract
from penstock.spec.project import Project
from penstock.spec.source import Source

RULES = "penstock.rules."


def rules_fingerprint(project: Project, contract: Contract, source: Source) -> str:
    """Of everything that decides what a bronze row of `source` becomes in silver.

    Other contracts decide too: a column that refers to a personal key is a pseudonym.
    """
    pseudonyms = sorted(pseudonym_domains(contract, project.contracts).items())
    text = f"{contract.fingerprint}\n{source.reading}\n{source.delivery}\n{pseudonyms}"
    if younger := _younger(source):
        text += f"\n{younger}"
    return sha256(text.encode()).hexdigest()


def _younger(source: Source) -> list[object]:
    """What could not be declared when the first data directories were made, where it is declared."""
    delivery, reading = source.delivery, source.reading
    facts = (delivery.version, reading.version_format, reading.constants, reading.same_as)
    return list(facts) if any(facts) else []


def rebuild_reason(project: Project, contract: Contract, properties: Mapping[str, str]) -> str | None:
    """Why all of bronze must be conformed again, or None; `properties` are those of the silver table."""
    declared = {one.name: rules_fingerprint(project, contract, one) for one in project.sources_of(contract.dataset)}
    applied = {key.removeprefix(RULES): value for key, value in properties.items() if key.startswith(RULES) and value}
    gone = sorted(applied.keys() - declared.keys())
    if gone:
        return f"source {', '.join(gone)} is not declared any more"
    changed = sorted(name for name, value in applied.items() if declared[name] != value)
    return f"the contract or the reading of {', '.join(changed)} changed" if changed else None
