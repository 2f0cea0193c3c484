"""HTTP with a socket, byte by byte: libraries hide what its heads look like."""

import asyncio
from dataclasses import dataclass
from typing import Final

_PATIENCE: Final = 15.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything that a socket sent until it closed the connection."""

    raw: bytes

    @property
    def head(self) -> bytes:
        """Return the head with the blank line that ends it; nothing where there is none."""
        head, end, _ = self.raw.partition(b"\r\n\r\n")
        return head + end if end else b""

    @property
    def body(self) -> bytes:
        """Return what follows the head."""
        return self.raw[len(self.head) :]

    @property
    def text(self) -> str:
        """Return the body as text."""
        return self.body.decode(errors="backslashreplace")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a web server listens."""

    host: str
    port: int = 80

    @classmethod
    def parse(cls, text: str, port: int = 80) -> Address:
        """Read ``HOST`` or ``HOST:PORT``; raises ValueError."""
        host, colon, number = text.rpartition(":")
        if not colon:
            return cls(text, port)
        return cls(host, int(number))

    async def exchange(self, *pieces: bytes, pause: float = 0.2) -> Answer:
        """Send a request, with a ``pause`` between its pieces, and read to the end.

        Raises OSError, TimeoutError.
        """
        async with asyncio.timeout(_PATIENCE):
            reader, writer = await asyncio.open_connection(self.host, self.port)
            try:
                for index, piece in enumerate(pieces):
                    if index:
                        await asyncio.sleep(pause)
                    writer.write(piece)
                    await writer.drain()
                return Answer(await reader.read())
            finally:
                writer.close()


def request(method: str, target: str, body: str | None = None, *headers: str) -> bytes:
    """Return a whole request, in one piece: the firmware reads what came first."""
    lines = [f"{method} {target} HTTP/1.1", "Host: openbeken", *headers]
    content = b"" if body is None else body.encode()
    if body is not None:
        lines.append(f"Content-Length: {len(content)}")
    return "\r\n".join((*lines, "", "")).encode() + content
