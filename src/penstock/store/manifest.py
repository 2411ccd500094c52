"""The manifest: which release is served, by which endpoints, from which files. It is the store's one commit point."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import Any

from penstock import __version__
from penstock.errors import StorageError
from penstock.spec.endpoint import Endpoint, Ordering
from penstock.store.collection import Collection, Field, Part, collection_name

_FORMAT = 4  # of it and of the files that it names: with another number all are made anew


@dataclass(frozen=True)
class Manifest:
    """What is served now. A server needs nothing else: no project, no catalogue.

    `release` is 0, and `committed_at` None, where nothing was released; else this is the release's instant, ISO 8601 in
    UTC. `etag` changes whenever any answer may, by a release, by a declaration or by another version of the engine.
    """

    project: str
    description: str
    release: int
    committed_at: str | None
    endpoints: tuple[Endpoint, ...]
    collections: tuple[Collection, ...]

    def collection(self, endpoint: Endpoint) -> Collection:
        """The collection that answers an endpoint."""
        name = collection_name(endpoint)
        return next(one for one in self.collections if one.name == name)

    @cached_property
    def etag(self) -> str:
        return f"r{self.release}-{sha256(__version__.encode() + self.as_bytes()).hexdigest()[:16]}"

    def serves(self, release: int, committed_at: str | None, endpoints: tuple[Endpoint, ...]) -> bool:
        """Whether it is of this very release and these endpoints."""
        fingerprints = [endpoint.fingerprint for endpoint in endpoints]
        return (self.release, self.committed_at) == (release, committed_at) and fingerprints == [
            endpoint.fingerprint for endpoint in self.endpoints
        ]

    def as_bytes(self) -> bytes:
        endpoints = [asdict(replace(endpoint, places={})) for endpoint in self.endpoints]
        for endpoint in endpoints:
            del endpoint["places"]
        value = {
            "format": _FORMAT,
            "project": self.project,
            "description": self.description,
            "release": self.release,
            "committed_at": self.committed_at,
            "endpoints": endpoints,
            "collections": [asdict(collection) for collection in self.collections],
        }
        return json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass")


def read_manifest(text: bytes, *, where: str) -> Manifest | None:
    """The manifest in a file; None for one of another format, which is made anew like any cache."""
    try:
        value = json.loads(text)
        if value["format"] != _FORMAT:
            return None
        return Manifest(
            project=value["project"],
            description=value["description"],
            release=value["release"],
            committed_at=value["committed_at"],
            endpoints=tuple(map(_endpoint, value["endpoints"])),
            collections=tuple(map(_collection, value["collections"])),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(
            "The manifest of the serving store cannot be read",
            where=where,
            found=f"{type(error).__name__}: {error}",
            remedy="Delete the folder `store` of the data directory: it is made again from the release.",
        ) from error


def _endpoint(value: Mapping[str, Any]) -> Endpoint:
    tuples = {name: tuple(value[name]) for name in ("columns", "filters", "ranges")}
    order = tuple(Ordering(**one) for one in value["order"])
    example = tuple((name, one) for name, one in value["example"])
    return Endpoint(**{**value, **tuples, "order": order, "example": example})


def _collection(value: Mapping[str, Any]) -> Collection:
    tuples = {name: tuple(value[name]) for name in ("columns", "order", "indexed")}
    fields = tuple(Field(**field) for field in value["fields"])
    parts = tuple(Part(**part) for part in value["parts"])
    return Collection(**{**value, **tuples, "fields": fields, "parts": parts})
