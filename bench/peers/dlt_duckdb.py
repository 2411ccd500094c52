"""The peer of the batch road: dlt into DuckDB by its fastest reader, then the same dbt models. Runs in its own environment.

python dlt_duckdb.py load FILES MODELS MACROS WORK     from files to gold tables in WORK/peer.duckdb
python dlt_duckdb.py export WORK TARGET                each gold table as TARGET/<table>.parquet
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import duckdb

PROFILE = """
peer:
  target: peer
  outputs:
    peer: {{type: duckdb, path: {database}, schema: gold, threads: {threads}, settings: {{TimeZone: UTC}}}}
"""
# What conform does with a contract, as far as the models need it: names and types, nothing checked.
SILVER = """
create schema if not exists silver;
create view silver.order_lines as
select
    'default' as _tenant, '' as _file, rowid as _line, true as _new,
    invoice_no, stock_code, nullif(description, '') as description,
    cast(quantity as bigint) as quantity,
    cast(invoice_date as timestamp) at time zone 'UTC' as invoice_time,
    cast(unit_price as decimal(12, 3)) as unit_price,
    cast(cast(customer_id as double) as bigint) as customer_id,
    country
from raw.order_lines;
"""


def load(files: Path, models: Path, macros: Path, work: Path) -> None:
    import dlt
    from dlt.sources.filesystem import filesystem, read_csv_duckdb

    database = work / "peer.duckdb"
    listed = filesystem(bucket_url=files.as_uri(), file_glob="*.csv")
    rows = (listed | read_csv_duckdb(use_pyarrow=True, all_varchar=True, header=True)).with_name("order_lines")
    pipeline = dlt.pipeline(
        "peer", pipelines_dir=str(work / "dlt"), destination=dlt.destinations.duckdb(str(database)), dataset_name="raw"
    )
    pipeline.run(rows)
    with duckdb.connect(str(database)) as connection:
        connection.execute(SILVER)
    build(models, macros, work, database)


def build(models: Path, macros: Path, work: Path, database: Path) -> None:
    from dbt.cli.main import dbtRunner

    project = work / "models"
    shutil.copytree(models, project, ignore=shutil.ignore_patterns("target", "logs"))
    shutil.copytree(macros, project / "macros", dirs_exist_ok=True)
    (project / "profiles.yml").write_text(PROFILE.format(database=database, threads=os.cpu_count() or 1))
    place = ["--project-dir", str(project), "--profiles-dir", str(project), "--profile", "peer"]
    outcome = dbtRunner().invoke(["--quiet", "--no-send-anonymous-usage-stats", "run", *place])
    if not outcome.success:
        sys.exit(f"the models did not build: {outcome.exception}")


def export(work: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(work / "peer.duckdb"), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        found = connection.execute("select table_name from duckdb_tables() where schema_name = 'gold'").fetchall()
        for (table,) in found:
            connection.execute(f"copy gold.{table} to '{target / table}.parquet' (format parquet)")


if __name__ == "__main__":
    action, *paths = sys.argv[1:]
    if action == "load":
        load(*map(Path, paths))
    else:
        export(*map(Path, paths))
