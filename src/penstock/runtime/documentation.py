"""The models' documentation as pages: what every table and column of gold means, and what it is made of."""

from __future__ import annotations

from pathlib import Path

from penstock.errors import UsageError
from penstock.release.record import latest_release
from penstock.runtime.installation import Installation


def write_pages(installation: Installation, to: Path) -> tuple[Path, ...]:
    """Write dbt's documentation of the models of the current release into a folder; the files written.

    UsageError when nothing was released yet, or when the warehouse of the release is gone (a run makes it again
    when something changes).
    """
    release = latest_release(installation.place.root)
    if release is None:
        raise UsageError("Nothing was released yet", remedy="Run `penstock run` first.")
    warehouse = installation.place.warehouse(release.number)
    if not warehouse.exists():
        raise UsageError(
            f"The warehouse of release {release.number} is not there",
            where=str(warehouse),
            remedy="It is a cache: it comes back with the next release.",
        )
    from penstock.transform.docs import generate_docs
    from penstock.transform.warehouse import unlocked

    with unlocked(warehouse) as free:
        return generate_docs(installation.project, warehouse=free, folder=to, log=installation.place.logs)
