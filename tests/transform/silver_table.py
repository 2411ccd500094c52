"""A table of silver as a build is given it: Parquet files with field ids, and rows of them that are named as gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from penstock.lake.table import DataFile, DeleteFile, FieldColumn, Scan
from penstock.lake.types import field_id_metadata
from penstock.transform.result import ModelInput

Columns = Mapping[str, tuple[pa.DataType, str]]  # name -> how values stand in Arrow, and what DuckDB calls the type


@dataclass
class SilverTable:
    """Every change is one snapshot: `write` adds a data file, `take_back` removes one, `remove` names rows of one that
    stays."""

    folder: Path
    name: str
    columns: Columns
    files: list[DataFile] = field(default_factory=list)
    snapshot: int = 0

    def write(self, rows: Sequence[Mapping[str, object]]) -> DataFile:
        self.snapshot += 1
        path = self.folder / f"{self.snapshot}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        fields = [
            pa.field(name, type, metadata=field_id_metadata(number))
            for number, (name, (type, _)) in enumerate(self.columns.items(), 1)
        ]
        pq.write_table(pa.Table.from_pylist(list(rows), pa.schema(fields)), path)
        file = DataFile(str(path), len(rows), path.stat().st_size)
        self.files.append(file)
        return file

    def take_back(self, file: DataFile) -> None:
        self.snapshot += 1
        self.files.remove(file)

    def remove(self, file: DataFile, places: Iterable[int]) -> DataFile:
        """The file without the rows at these places; whatever was removed of it before has to be among them."""
        self.snapshot += 1
        gone = sorted(places)
        path = self.folder / f"{self.snapshot}-deletes.parquet"
        pq.write_table(pa.table({"file_path": [file.path] * len(gone), "pos": gone}), path)
        left = replace(file, deletes=(DeleteFile(str(path), len(gone), path.stat().st_size),))
        self.files[self.files.index(file)] = left
        return left

    def scan(self, files: Sequence[DataFile] | None = None) -> Scan:
        fields = tuple(
            FieldColumn(number, name, type) for number, (name, (_, type)) in enumerate(self.columns.items(), 1)
        )
        return Scan(f"silver.{self.name}", self.snapshot, tuple(self.files if files is None else files), fields)

    def moved(self, snapshot: int, before: Sequence[DataFile]) -> ModelInput:
        """With what came and went since there were the files `before`."""
        held, paths = {file.path: file for file in self.files}, [file.path for file in before]
        added = [file for file in self.files if file.path not in paths]
        removed = [
            replace(file, only=held[file.path].deletes) if file.path in held else file
            for file in before
            if file not in self.files
        ]
        return ModelInput(self.scan(), self.scan(added), self.scan(removed), snapshot)
