"""A schema registry for tests: as much of Confluent's REST interface as a client of serialised messages needs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class RegistryForTests:
    """Schemas by number, from 1; a schema that is registered again keeps its number. `asked` counts requests."""

    url: str = ""
    schemas: list[str] = field(default_factory=list)
    subjects: dict[str, list[int]] = field(default_factory=dict)
    asked: int = 0

    def register(self, subject: str, schema: str) -> int:
        if schema not in self.schemas:
            self.schemas.append(schema)
        number = self.schemas.index(schema) + 1
        self.subjects.setdefault(subject, []).append(number)
        return number


@contextmanager
def schema_registry() -> Iterator[RegistryForTests]:
    """A running registry on a free port of this machine."""
    registry = RegistryForTests()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(registry))
    registry.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(registry: RegistryForTests) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            registry.asked += 1
            number = int(self.path.rsplit("/", 1)[-1])
            if 1 <= number <= len(registry.schemas):
                self._answer(200, {"schema": registry.schemas[number - 1]})
            else:
                self._answer(404, {"error_code": 40403, "message": "Schema not found"})

        def do_POST(self) -> None:
            registry.asked += 1
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                json.loads(body["schema"])
            except ValueError:
                self._answer(422, {"error_code": 42201, "message": "Invalid schema"})
                return
            self._answer(200, {"id": registry.register(self.path.split("/")[2], body["schema"])})

        def _answer(self, code: int, content: dict[str, object]) -> None:
            data = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *values: object) -> None:
            """Tests are quiet."""

    return Handler
