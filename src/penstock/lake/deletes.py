"""Position deletes of Iceberg: a file that names rows of data files which do not count any more.

A partition has at most one (a table without partitions is one). A change that takes single rows out, or data files of
which some rows were taken out, writes it anew: so it names no row twice and none of a file that went, and what it names can
be counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.conversions import to_bytes
from pyiceberg.manifest import DataFile as IcebergFile
from pyiceberg.manifest import DataFileContent, FileFormat, ManifestContent
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.typedef import Record
from pyiceberg.types import LongType, StringType

from penstock.errors import StorageError
from penstock.lake.io import ReadOnlyIO, StagedFile, local_path
from penstock.lake.manifests import ManifestReader
from penstock.lake.types import field_id_metadata
from penstock.world import Disk

PATH_ID, POS_ID = 2147483546, 2147483545  # which Iceberg keeps for the columns of such a file
PLACES = pa.schema(
    [
        pa.field("file_path", pa.string(), nullable=False, metadata=field_id_metadata(PATH_ID)),
        pa.field("pos", pa.int64(), nullable=False, metadata=field_id_metadata(POS_ID)),
    ]
)
Partition = tuple[object, ...]
"""Its values, in Iceberg's form."""
_OWN_FILE = re.compile(r"[0-9a-f]{32}-\d{5}-deletes\.parquet")


def deletes_of(reader: ManifestReader, snapshot: Snapshot | None) -> Iterator[IcebergFile]:
    """The files with row-level deletes of a snapshot, whoever wrote them."""
    for manifest in () if snapshot is None else reader.manifests(snapshot):
        if manifest.content == ManifestContent.DELETES:
            yield from (entry.data_file for entry in reader.entries(manifest))


def data_files_of(reader: ManifestReader, snapshot: Snapshot | None) -> dict[str, Partition]:
    """The locations of a snapshot's data files, each with its partition. Deletes name files by these, to the letter."""
    manifests = () if snapshot is None else reader.manifests(snapshot)
    entries = (reader.entries(one) for one in manifests if one.content == ManifestContent.DATA)
    files = (entry.data_file for live in entries for entry in live)
    return {file.file_path: partition_of(file) for file in files}


def partition_of(file: IcebergFile) -> Partition:
    """The values of its partition."""
    return tuple(file.partition[place] for place in range(len(file.partition)))


def named_rows(snapshot: Mapping[str, Any]) -> int:
    """How many rows of its data files a snapshot, as metadata tells it, has as deleted."""
    reader, found = ManifestReader(ReadOnlyIO()), Snapshot.model_validate(snapshot)
    deletes = list(deletes_of(reader, found))
    own = of_files(read_places(file.file_path for file in deletes if is_own(file)), data_files_of(reader, found))
    others = (
        one.record_count for one in deletes if one.content == DataFileContent.POSITION_DELETES and not is_own(one)
    )
    return int(own.num_rows + sum(others))


def is_own(file: IcebergFile) -> bool:
    """Whether the lake wrote it: then it names each row once."""
    name = local_path(file.file_path).rsplit("/", 1)[-1]
    return file.content == DataFileContent.POSITION_DELETES and _OWN_FILE.fullmatch(name) is not None


def read_places(paths: Iterable[str]) -> pa.Table:
    """What files of the lake name: `file_path` and `pos`."""
    return pa.concat_tables([PLACES.empty_table(), *(_read(local_path(path)) for path in paths)])


def of_files(places: pa.Table, locations: Collection[str]) -> pa.Table:
    """The places that are in one of these data files."""
    return places.filter(pc.is_in(places["file_path"], pa.array(sorted(locations), pa.string())))


def located(places: pa.Table, locations: Iterable[str]) -> pa.Table:
    """Places in plain paths as places in the locations of these data files, of which another engine may have named some
    with a scheme."""
    with_scheme = {local_path(location): location for location in locations if location != local_path(location)}
    if not with_scheme:
        return places
    names = [with_scheme.get(path, path) for path in places["file_path"].to_pylist()]
    return places.set_column(0, PLACES.field(0), pa.array(names, pa.string()))


def write_places(
    places: pa.Table,
    partition: Partition,
    metadata: TableMetadata,
    disk: Disk,
    new_name: Callable[[], str],
    created: Callable[[str], object],
) -> IcebergFile:
    """Write the file of a partition; the commit makes it durable."""
    ordered = places.cast(PLACES).sort_by([("file_path", "ascending"), ("pos", "ascending")])
    if ordered.group_by(PLACES.names).aggregate([]).num_rows < ordered.num_rows:
        raise ValueError("a row is taken out twice")
    path = f"{metadata.location}/data/{new_name()}-deletes.parquet"
    created(path)
    sink = pa.BufferOutputStream()
    pq.write_table(ordered, sink, compression="zstd", store_schema=False)
    with StagedFile(disk, local_path(path)) as stream:
        stream.write(sink.getvalue().to_pybytes())
    file = IcebergFile.from_args(
        content=DataFileContent.POSITION_DELETES,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=Record(*partition),
        record_count=ordered.num_rows,
        file_size_in_bytes=stream.size,
        sort_order_id=None,
        spec_id=metadata.default_spec_id,
        equality_ids=None,
        key_metadata=None,
        lower_bounds=_bounds(pc.min(ordered["file_path"]).as_py(), pc.min(ordered["pos"]).as_py()),
        upper_bounds=_bounds(pc.max(ordered["file_path"]).as_py(), pc.max(ordered["pos"]).as_py()),
    )
    file.spec_id = metadata.default_spec_id
    return file


def _bounds(path: str, pos: int) -> dict[int, bytes]:
    return {PATH_ID: to_bytes(StringType(), path), POS_ID: to_bytes(LongType(), pos)}


def _read(path: str) -> pa.Table:
    try:
        return pq.read_table(path, partitioning=None).select(PLACES.names).cast(PLACES)
    except (OSError, ValueError) as error:
        raise StorageError(
            "A file of the lake cannot be read",
            where=path,
            found=str(error),
            remedy="`penstock doctor` names every damaged file; restore them from a backup.",
        ) from error
