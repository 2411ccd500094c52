"""A project with its data directory, in the real world: what every command works on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from penstock.errors import StorageError
from penstock.runtime.place import DataDirectory
from penstock.spec.loading import load_project
from penstock.spec.project import Project
from penstock.world import World, real_world


@dataclass(frozen=True)
class Installation:
    """A loaded project, where its data lives, and the world it runs in."""

    project: Project
    place: DataDirectory
    world: World

    @classmethod
    def at(
        cls,
        project: Path,
        data_dir: Path | None = None,
        *,
        world: World | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Installation:
        """Load the project in a folder; its data is in `.penstock` there unless said otherwise."""
        loaded = load_project(project, environment=environment)
        place = DataDirectory.of(project, data_dir)
        if place.root.exists() and not place.root.is_dir():
            raise StorageError(
                "The data directory is a file", where=str(place.root), remedy="Name a folder with --data-dir."
            )
        return cls(loaded, place, real_world() if world is None else world)
