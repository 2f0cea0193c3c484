"""A mosquitto of one's own on a free loopback port."""

from collections.abc import Mapping
import os
from pathlib import Path
import shutil
import socket
import subprocess
import tempfile
import time
from typing import Self

from . import traffic
from .certificate import write_certificate
from .simulated_time import real_monotonic

START_TIMEOUT = 60.0
START_ATTEMPTS = 3
# What it says once it has its port (src/mosquitto.c, 2.0.11).
_RUNNING = b" running\n"


class BrokerUnavailable(Exception):
    """Mosquitto is not installed."""


class BrokerFailed(Exception):
    """Mosquitto did not start."""


class Broker:
    """One mosquitto process; it keeps its port when stopped and started again."""

    host = "127.0.0.1"

    def __init__(
        self,
        *,
        users: Mapping[str, str] | None = None,
        access: str = "",
        port: int | None = None,
        tls: bool = False,
        asks_for_certificate: bool = False,
        keeps: bool = False,
    ) -> None:
        """Prepare a broker for these users and passwords, or for everyone if there are none.

        ``access`` is an access list as mosquitto reads it. With ``tls`` it lets nobody in without
        encryption, and it may want a client's certificate. One that ``keeps`` writes what is retained
        to disk when it is shut down.
        """
        self._access = access
        self._tls = tls
        self._asks_for_certificate = asks_for_certificate
        self._keeps = keeps
        self._program = _find("mosquitto")
        self._users = dict(users or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._given_port = port
        self.port = port or 0

    def __enter__(self) -> Self:
        """Start the broker."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the broker and remove its files."""
        self.stop()
        if self._directory:
            self._directory.cleanup()

    def start(self) -> None:
        """Start the broker and wait until it accepts connections."""
        attempts = 1 if self._given_port or self._directory else START_ATTEMPTS
        while True:
            attempts -= 1
            try:
                self._start_once()
            except BrokerFailed:
                # Another process may have taken the port that was just found free.
                if not attempts:
                    raise
            else:
                return

    def stop(self) -> None:
        """End the broker, as if its machine had gone."""
        if self._process:
            traffic.forget(self._process.pid)
            self._process.kill()
            self._process.wait()
            self._process = None

    def shut_down(self) -> None:
        """End the broker as somebody does who starts it anew."""
        if self._process:
            traffic.forget(self._process.pid)
            self._process.terminate()
            self._process.wait()
            self._process = None

    def let_in_only(self, users: Mapping[str, str]) -> None:
        """Start anew with these logins, as somebody does who has changed its list of users."""
        self.stop()
        self._users = dict(users)
        self.start()

    def _start_once(self) -> None:
        if self._directory is None:
            self._directory = tempfile.TemporaryDirectory(prefix="openbk-broker-")
        if not self._given_port and not self.port:
            self.port = free_port()
        directory = Path(self._directory.name)
        log = directory / "log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [self._program, "-c", self._configure(directory)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = real_monotonic() + START_TIMEOUT
        while real_monotonic() < deadline and self._process.poll() is None:
            # Whoever answers at the port may be the broker of another test, which was quicker.
            if _RUNNING in log.read_bytes():
                traffic.watch(self._process.pid, "mosquitto")
                return
            time.sleep(0.002)
        self.stop()
        self.port = self._given_port or 0
        raise BrokerFailed(f"mosquitto did not start:\n{log.read_text()}")

    def _configure(self, directory: Path) -> Path:
        lines = [
            f"listener {self.port} {self.host}",
            f"persistence {str(self._keeps).lower()}",
            f"persistence_location {directory}/",
            # Else small packets wait for the acknowledgement of earlier ones, 40 ms each.
            "set_tcp_nodelay true",
        ]
        if self._tls:
            certificate = directory / "certificate.pem"
            write_certificate(certificate)
            lines += [f"certfile {certificate}", f"keyfile {certificate}"]
            if self._asks_for_certificate:
                lines += [f"cafile {certificate}", "require_certificate true"]
        if os.geteuid() == 0:
            # Else it gives up root and cannot read its own files.
            lines.append("user root")
        if self._users:
            passwords = directory / "passwords"
            passwords.touch(mode=0o600)
            for name, password in self._users.items():
                subprocess.run(
                    [_find("mosquitto_passwd"), "-b", passwords, name, password],
                    check=True,
                    capture_output=True,
                )
            lines += ["allow_anonymous false", f"password_file {passwords}"]
        else:
            lines.append("allow_anonymous true")
        if self._access:
            access = directory / "access"
            access.write_text(self._access, encoding="utf-8")
            access.chmod(0o600)
            lines.append(f"acl_file {access}")
        configuration = directory / "mosquitto.conf"
        configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return configuration


def free_port() -> int:
    """Return a loopback port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((Broker.host, 0))
        port: int = probe.getsockname()[1]
        return port


def _find(program: str) -> str:
    # Debian installs mosquitto where only root's PATH looks.
    path = os.environ.get("PATH", os.defpath)
    found = shutil.which(program, path=f"{path}:/usr/sbin:/usr/local/sbin")
    if not found:
        raise BrokerUnavailable(f"{program} is not installed; script/setup says how")
    return found
