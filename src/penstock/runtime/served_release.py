"""Which release the serving store has, told by two small files."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.errors import StorageError
from penstock.release.record import Release, latest_release
from penstock.runtime.installation import Installation
from penstock.serve.kind import instant
from penstock.store.files import FileStore
from penstock.store.manifest import Manifest


@dataclass(frozen=True)
class Served:
    """What is served where, for the one who started it."""

    project: str
    release: int
    address: str
    paths: tuple[str, ...]


def serving_store(installation: Installation) -> FileStore:
    """The store of the data directory."""
    return FileStore(installation.place.root / "store", installation.world)


def is_behind(installation: Installation) -> bool:
    """Whether there is a release that the store does not serve as it is declared now."""
    release = latest_release(installation.place.root)
    if release is None:
        return False
    manifest = served(installation)
    if manifest is None:
        return bool(installation.project.endpoints)
    return not is_served(manifest, release, installation)


def served(installation: Installation) -> Manifest | None:
    """What the store serves; None when it serves nothing, or is damaged and must be made anew."""
    try:
        return serving_store(installation).manifest()
    except StorageError:
        return None


def examined(installation: Installation) -> tuple[bool, str]:
    """Whether the serving store is well, and what is to be done or known."""
    folder = serving_store(installation).folder
    again = f"delete {folder}, and `penstock run` or `penstock serve` makes it again"
    try:
        faults = serving_store(installation).faults()
        manifest = serving_store(installation).manifest()
    except StorageError as error:
        return False, str(error)
    if faults:
        return False, f"{'; '.join(faults)}; {again}"
    if is_behind(installation):
        return (
            True,
            "behind the latest release or what is declared; the next run or start of the server brings it there",
        )
    if manifest is None:
        return True, "none yet"
    rows = sum(collection.rows for collection in manifest.collections)
    return True, f"{rows:,} rows of release {manifest.release} can be read"


def is_served(manifest: Manifest, release: Release, installation: Installation) -> bool:
    return manifest.serves(release.number, instant(release.committed_at), installation.project.endpoints)
