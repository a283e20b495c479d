"""Decompression that never produces more than it may: a bomb is found out after one step."""

from __future__ import annotations

import zlib

from swarm.adapters.feeds.errors import BadEncoding, TooLarge

ACCEPTED = "gzip, deflate"
_GZIP, _ZLIB, _RAW = 31, 15, -15
_STEP = 256 * 1024


class Decoder:
    """Collects a body piece by piece, decompressed, up to `limit` bytes."""

    def __init__(self, encoding: str, limit: int) -> None:
        """Prepare for a `Content-Encoding`. Raises BadEncoding for one we did not ask for."""
        names = [name.strip().lower() for name in encoding.split(",") if name.strip()]
        names = [name for name in names if name != "identity"]
        if len(names) > 1 or not set(names) <= {"gzip", "x-gzip", "deflate"}:
            raise BadEncoding(f"the answer is compressed with {encoding[:60]!r}")
        self._kind = names[0] if names else ""
        self._limit = limit
        self._stream = zlib.decompressobj(_GZIP) if "gzip" in self._kind else None
        self._body = bytearray()
        self._raw = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes off the wire. Raises TooLarge or BadEncoding."""
        self._raw += len(data)
        if self._raw > self._limit:
            raise TooLarge(f"the answer is larger than {self._limit} bytes")
        if not self._kind:
            self._body += data
            return
        if self._stream is None:  # deflate: with a zlib header by the book, raw by some servers
            wrapped = (data[0] & 0x0F) == zlib.DEFLATED
            self._stream = zlib.decompressobj(_ZLIB if wrapped else _RAW)
        try:
            self._inflate(data)
        except zlib.error as error:
            raise BadEncoding(f"the compressed answer is damaged: {error}") from error

    def _inflate(self, data: bytes) -> None:
        full = False
        while (data or full) and self._stream is not None:
            part = self._stream.decompress(data, _STEP)
            self._body += part
            if len(self._body) > self._limit:
                raise TooLarge(f"the answer unpacks to more than {self._limit} bytes")
            data = self._stream.unconsumed_tail
            # After a full step more may be ready, also when every byte of the input was taken.
            full = len(part) == _STEP
            if self._stream.eof:
                data, full = self._stream.unused_data, False
                if data and "gzip" in self._kind:  # several members in a row are one file
                    self._stream = zlib.decompressobj(_GZIP)
                elif data:
                    return  # bytes behind the end of a deflate stream mean nothing

    def done(self) -> bytes:
        """The whole body. Raises BadEncoding when the compressed data stops in the middle."""
        if self._stream is not None and not self._stream.eof:
            raise BadEncoding("the compressed answer stops in the middle")
        return bytes(self._body)
