"""Whether the tables that are there can follow the contracts as they are declared now."""

from __future__ import annotations

from penstock.errors import DeclarationError
from penstock.lake.records import read_heads, read_table_summary
from penstock.load.rules import rebuild_reason
from penstock.runtime.installation import Installation


def problems_of_evolution(installation: Installation) -> tuple[DeclarationError, ...]:
    """What a run would refuse, of each dataset whose contract changed; none where there are no data yet."""
    project, place = installation.project, installation.place
    heads = read_heads(place.root) if place.exists else {}
    changed = [
        contract
        for dataset, contract in project.contracts.items()
        if (at := heads.get(f"silver.{dataset}")) is not None
        and rebuild_reason(project, contract, read_table_summary(at).properties) is not None
    ]
    if not changed:
        return ()
    from penstock.lake.lake import Lake
    from penstock.load.tables import check_silver

    problems = []
    with Lake.open(place.root, installation.world) as lake:
        for contract in changed:
            try:
                check_silver(lake, contract, project.contracts)
            except DeclarationError as error:
                problems.append(error)
    return tuple(problems)
