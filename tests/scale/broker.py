"""A real Apache Kafka broker: one node, made of jars from Maven Central, started and stopped by its process id."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
JARS = HERE.parent.parent / "build" / "kafka" / "libs"
MEMORY = ("-Xmx400m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
PATIENCE = 60.0  # seconds to start or to stop


def missing() -> list[str]:
    """The programs that are needed and not there."""
    return [name for name in ("java", "mvn") if shutil.which(name) is None]


def fetch_jars() -> None:
    """Once; Maven finds its registry in its own settings."""
    if any(JARS.glob("kafka_2.13-*.jar")):
        return
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={JARS}"]
    subprocess.run(["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), *goal], check=True)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Broker:
    """Its data are in `folder`; `start` after `stop` or `kill` goes on with them."""

    folder: Path
    port: int = field(default_factory=free_port)
    control: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    memory: tuple[str, ...] = MEMORY

    @property
    def servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def _config(self) -> Path:
        return self.folder / "server.properties"

    def format(self) -> None:
        own = {
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{self.control}",
            "listeners": f"PLAINTEXT://{self.servers},CONTROLLER://127.0.0.1:{self.control}",
            "advertised.listeners": f"PLAINTEXT://{self.servers},CONTROLLER://127.0.0.1:{self.control}",
            "log.dirs": str(self.folder / "data"),
        }
        lines = "".join(f"{name}={value}\n" for name, value in own.items())
        self._config.write_text((HERE / "server.properties").read_text() + lines)
        cluster = base64.urlsafe_b64encode(b"penstock-scale-1").decode().rstrip("=")
        arguments = ["format", "--standalone", "-t", cluster, "-c", str(self._config)]
        subprocess.run(self._java("kafka.tools.StorageTool", *arguments), check=True, stdout=subprocess.DEVNULL)

    def start(self) -> None:
        with (self.folder / "broker.log").open("ab") as log:
            command = self._java("kafka.Kafka", str(self._config))
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise RuntimeError(f"the broker did not start: {(self.folder / 'broker.log').read_text()[-2000:]}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            os.kill(self.process.pid, how)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def _java(self, main: str, *arguments: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}"
        return ["java", *self.memory, logging, "-cp", f"{JARS}/*", main, *arguments]
