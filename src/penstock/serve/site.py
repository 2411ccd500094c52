"""Everything that one release is answered from, and the watch for the next one."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property

from penstock.serve.caching import kept
from penstock.serve.kind import Kind, kind_named
from penstock.serve.parameters import Chooser, Selection, choosers, selection
from penstock.serve.problem import error, not_found, refused
from penstock.serve.route import Match, Routes
from penstock.spec.document import shortened
from penstock.spec.endpoint import Endpoint
from penstock.store.collection import Collection
from penstock.store.manifest import Manifest
from penstock.store.protocol import Compare, Condition, Store, View


@dataclass(frozen=True)
class Target:
    """An endpoint with what answers it."""

    endpoint: Endpoint
    collection: Collection
    choosers: tuple[Chooser, ...]


class Site:
    """One release. A request takes it once and is answered from it alone, so no answer mixes two releases."""

    def __init__(self, view: View) -> None:
        self._view = view
        self.manifest: Manifest = view.manifest
        self.routes = Routes(self.manifest.endpoints)
        self._targets = {endpoint.path: _target(endpoint, self.manifest) for endpoint in self.manifest.endpoints}

    @cached_property
    def headers(self) -> dict[str, str]:
        """Of every answer."""
        return kept(self.manifest.etag, self.manifest.release)

    def selection(self, match: Match, query: bytes) -> Selection:
        """The rows that a query asks of a list; Problem 422."""
        target = self._targets[match.endpoint.path]
        return selection(query, target.choosers, usual=target.endpoint.usual_limit, most=target.endpoint.limit)

    def document(self, match: Match) -> bytes:
        """The row named in the path, as JSON; Problem 404, or 422 where it cannot be a key."""
        target = self._targets[match.endpoint.path]
        found = self._view.document(target.collection, _key(target, match.row or ""))
        if found is None:
            raise not_found(f"{target.endpoint.path} has no row {shortened(match.row or '')}.")
        return found

    def first(self, endpoint: Endpoint) -> bytes | None:
        """The first row of an endpoint as JSON, or None where it has none."""
        collection = self._targets[endpoint.path].collection
        return next(iter(self._view.page(collection, (), skip=0, limit=1)), None)

    def below(self, match: Match, chosen: Selection) -> Selection:
        """The same rows, those alone that belong to the row in the path; Problem 404 when that is not there."""
        if match.above is None or match.row is None or match.endpoint.parent is None:
            return chosen
        self.document(Match(match.above, match.row))
        value = _key_kind(self._targets[match.above.path]).parse(match.row)
        if value is None:
            raise AssertionError("a key that names a row is a value of its kind")
        own = Condition(match.endpoint.parent, Compare.EQUAL, value)
        return Selection(chosen.skip, chosen.limit, (own, *chosen.conditions))

    def page(self, match: Match, chosen: Selection, *, at_once: bool = False) -> bytes:
        """Rows as JSON, with how many there are in all; `at_once` as in a view."""
        collection = self._targets[match.endpoint.path].collection
        total = self._view.count(collection, chosen.conditions, at_once=at_once)
        found = self._view.page(collection, chosen.conditions, skip=chosen.skip, limit=chosen.limit, at_once=at_once)
        return b'{"items":[%s],"total":%d,"skip":%d,"limit":%d,"release":%d}' % (
            b",".join(found),
            total,
            chosen.skip,
            chosen.limit,
            self.manifest.release,
        )


class Current:
    """The site of the release that is served now. Asking costs one look at a file; a newer release is opened
    at once, and the former one is closed by whoever used it last."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._signature = store.signature()
        self._site = Site(store.open())

    def site(self) -> Site:
        if self._store.signature() == self._signature:
            return self._site
        with self._lock:
            signature = self._store.signature()  # before opening: what comes later is opened by the next request
            if signature is not None and signature != self._signature:
                self._site = Site(self._store.open())
                self._signature = signature
            return self._site


def _target(endpoint: Endpoint, manifest: Manifest) -> Target:
    collection = manifest.collection(endpoint)
    return Target(endpoint, collection, choosers(endpoint, collection))


def _key_kind(target: Target) -> Kind:
    return kind_named(target.collection.field(target.endpoint.key).kind)


def _key(target: Target, text: str) -> str:
    kind = _key_kind(target)
    key = kind.key(text)
    if key is None:
        raise refused([error("id", f"id is not {kind.expected}.", expected=kind.expected, found=shortened(text))])
    return key
