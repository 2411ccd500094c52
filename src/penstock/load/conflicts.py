"""Files that say they are the same version of the same, and say different things."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from penstock.errors import counted
from penstock.ingest.file import KnownFile, version_order
from penstock.lake.lake import Lake
from penstock.lake.table import Scan
from penstock.load.ledger import as_declared, known_files, may_hold, rank
from penstock.load.tables import SYSTEM_COLUMNS, bronze_name
from penstock.spec.contract import Contract
from penstock.spec.project import Project
from penstock.spec.source import DeliveryMode, Source
from penstock.sql.connection import connect
from penstock.sql.names import quote
from penstock.sql.scan import read_scan

_SYSTEM = frozenset(column.name for column in SYSTEM_COLUMNS)


@dataclass(frozen=True)
class Conflict:
    """Two files of one version. `holds` has the higher content hash; `kept` and `left` are how many rows only it and
    only the other have."""

    holds: KnownFile
    gives_way: KnownFile
    kept: int
    left: int

    @property
    def batch(self) -> int:
        """The bronze commit since which there is a conflict."""
        return max(self.holds.batch, self.gives_way.batch)

    def __str__(self) -> str:
        return (
            f"version {self.holds.version} of {self.holds.name} came with different content: {_told(self.holds)} holds"
            f" against {_told(self.gives_way)}, for its hash is the higher one, whichever came first;"
            f" {counted(self.kept, 'row')} only in it, {counted(self.left, 'row')} only in the other"
        )

    def as_row(self) -> dict[str, str]:
        return {
            "version": f"{self.holds.version} of {self.holds.name}",
            "holds": _told(self.holds),
            "against": _told(self.gives_way),
            "rows_only_in_it": str(self.kept),
            "rows_only_in_the_other": str(self.left),
        }


@dataclass(frozen=True)
class Contradiction:
    """Two files with rows of one key and version that differ: so many of the one stand against those of the other."""

    holds: str
    gives_way: str
    rows: int

    def __str__(self) -> str:
        if self.holds == self.gives_way:
            return (
                f"two contents of {self.holds} differ in {counted(self.rows, 'row')} of one key and version: the one whose"
                " hash is the higher holds there, whichever came first; a change needs a higher version"
            )
        return (
            f"{self.holds} and {self.gives_way} differ in {counted(self.rows, 'row')} of one key and version:"
            f" {self.holds} holds there, for the hash of its content is the higher one, whichever came first"
        )


def conflicts(lake: Lake, project: Project, contract: Contract) -> tuple[Conflict, ...]:
    """All among the files of a dataset whose rows stand, in the order of their names; the same in any order of arrival."""
    sources = [source for source in project.sources.values() if source.dataset == contract.dataset]
    return tuple(one for source in sources for one in _of_source(lake, source, contract))


def rivals(known: Sequence[KnownFile]) -> Iterator[tuple[KnownFile, KnownFile]]:
    """The file that stands for a name with each other of its version and of different content. Pure."""
    standing: dict[str, KnownFile] = {}
    for file in sorted(known, key=rank):
        standing[file.name] = file
    for file in sorted(known, key=lambda one: (one.name, one.content_hash, one.path)):
        holds = standing[file.name]
        same = file.version is not None and version_order(file.version) == version_order(holds.version or "")
        if same and file.content_hash != holds.content_hash:
            yield holds, file


def _of_source(lake: Lake, source: Source, contract: Contract) -> Iterator[Conflict]:
    bronze = lake.head(bronze_name(source.name))
    if source.delivery.mode is not DeliveryMode.REPLACE_FILE or bronze is None:
        return
    in_name = source.delivery.pattern is not None  # then nobody looks into bronze for the version
    scan = Scan(bronze.name, None, (), ()) if in_name else lake.scan_head(bronze)
    pairs = list(rivals(as_declared(source, known_files(lake, source.name), scan, contract)))
    if not pairs:
        return
    scan = lake.scan_head(bronze) if in_name else scan
    for holds, gives_way in pairs:
        kept, left = _differing(scan, holds, gives_way)
        if kept or left:
            yield Conflict(holds, gives_way, kept, left)


def _differing(bronze: Scan, one: KnownFile, other: KnownFile) -> tuple[int, int]:
    """How many rows only the one and only the other has."""
    files = [file for file in bronze.files if may_hold(file, {one.batch, other.batch})]
    names = ", ".join(quote(column.name) for column in bronze.columns if column.name not in _SYSTEM)
    signed = f"SELECT {names}, CASE _file_id WHEN $1 THEN 1 ELSE -1 END AS _sign"
    query = (
        "SELECT coalesce(sum(_times) FILTER (WHERE _times > 0), 0), coalesce(-sum(_times) FILTER (WHERE _times < 0), 0)"
        f" FROM (SELECT {names}, sum(_sign) AS _times FROM ({signed}"
        f" FROM ({read_scan(files, bronze.columns)}) WHERE _file_id IN ($1, $2)) GROUP BY ALL)"
    )
    with connect() as connection:
        ((kept, left),) = connection.execute(query, [one.file_id, other.file_id]).fetchall()
    return int(kept), int(left)


def _told(file: KnownFile) -> str:
    return f"{file.path} (SHA-256 {file.content_hash[:8]})"
