"""The folder dbt works in: generated in the cache, so that nothing is ever written into a project."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from penstock.errors import DeclarationError

DATABASE = "warehouse"  # the catalogue name of the file being built, whatever the file is called
PROFILE = "penstock"
ENGINE_MACROS = Path(__file__).parent / "macros"

_OURS = "penstock_macros"
_NOT_LINKED = {"dbt_project.yml", "profiles.yml", "target", "logs"}  # ours, or made by dbt


@dataclass(frozen=True)
class Workspace:
    """A dbt project made of links to the declared one, our macros, and a profile for `database`.

    `models` is the declared folder; paths in dbt's messages are relative to both.
    """

    folder: Path
    models: Path
    database: Path
    variables: Mapping[str, Any]

    @property
    def target(self) -> Path:
        return self.folder / "target"

    def compiled(self, path: Path) -> Path:
        """Where dbt wrote a node's compiled SQL."""
        return path if path.is_absolute() else self.folder / path

    def declared(self, relative: str) -> Path:
        """The declared file that dbt calls `relative`."""
        if Path(relative).parts[:1] == (_OURS,):
            return ENGINE_MACROS.joinpath(*Path(relative).parts[1:])
        return self.models / relative


@dataclass(frozen=True)
class Limits:
    """What a build may use: DuckDB's memory, and threads (DuckDB's, and models built at a time). No row depends on it."""

    memory_limit: str = "1GB"
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)


def prepare(folder: Path, *, models: Path, database: Path, limits: Limits, read_only: bool = False) -> Workspace:
    """Write or refresh the workspace in `folder`; files that did not change keep their time, so dbt's parse stays."""
    folder, models, database = folder.resolve(), models.resolve(), database.resolve()
    declared = _read_project(models / "dbt_project.yml")
    folder.mkdir(parents=True, exist_ok=True)
    _link_entries(folder, models)
    _write(folder / "dbt_project.yml", yaml.safe_dump(_with_ours(declared), sort_keys=True))
    _write(folder / "profiles.yml", yaml.safe_dump(_profile(database, folder, limits, read_only), sort_keys=True))
    _copy_macros(folder / _OURS)
    return Workspace(folder=folder, models=models, database=database, variables=declared.get("vars") or {})


def _read_project(path: Path) -> Mapping[str, Any]:
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DeclarationError(
            "The models folder is not a dbt project",
            where=str(path),
            expected="a dbt_project.yml",
            found="no such file",
            remedy="Add one, or start from `penstock init`.",
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DeclarationError("The dbt project cannot be read", where=str(path), found=str(error)) from error
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise DeclarationError(
            "The dbt project has no name", where=str(path), expected="a mapping with `name`", remedy="Add `name:`."
        )
    return value


def _with_ours(declared: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **declared,
        "profile": PROFILE,
        "macro-paths": [*declared.get("macro-paths", ["macros"]), _OURS],
        "target-path": "target",
        "flags": {"send_anonymous_usage_stats": False},
    }


def _profile(database: Path, folder: Path, limits: Limits, read_only: bool) -> dict[str, Any]:
    """An in-memory database with the warehouse attached under a fixed name: views stay right when the file moves."""
    output = {
        "type": "duckdb",
        "path": ":memory:",
        "database": DATABASE,
        "schema": "main",
        "threads": limits.threads,
        "attach": [{"path": _literally(database), "alias": DATABASE, "read_only": read_only}],
        "config_options": {
            "memory_limit": limits.memory_limit,
            "threads": limits.threads,
            "temp_directory": _literally(folder / "spill"),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "preserve_insertion_order": False,
            "python_enable_replacements": False,
        },
        "settings": {"TimeZone": "UTC"},
    }
    return {PROFILE: {"target": "build", "outputs": {"build": output}}}


def _literally(path: Path) -> str:
    """The path in a profile, which is a template: braces in it must mean themselves.

    >>> _literally(Path("/data/{{shop}}"))
    '{{ "/data/{{shop}}" }}'
    """
    text = str(path)
    return f"{{{{ {json.dumps(text)} }}}}" if "{" in text else text


def _link_entries(folder: Path, models: Path) -> None:
    wanted = {
        entry.name: entry.resolve()
        for entry in models.iterdir()
        if entry.name not in _NOT_LINKED and not entry.name.startswith(".")
    }
    for link in folder.iterdir():
        if link.is_symlink() and wanted.get(link.name) != link.readlink():
            link.unlink()
    for name, entry in wanted.items():
        if not (folder / name).is_symlink():
            _remove(folder / name)  # a copy of the data directory may hold what was linked
            (folder / name).symlink_to(entry)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _copy_macros(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    sources = {path.name: path for path in ENGINE_MACROS.glob("*.sql")}
    for stale in folder.iterdir():
        if stale.name not in sources:
            stale.unlink()
    for name, source in sources.items():
        if not (folder / name).exists() or (folder / name).read_bytes() != source.read_bytes():
            shutil.copyfile(source, folder / name)


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
