"""Rows of a CSV or Parquet file, one at a time, with what keeps a hostile file from hurting."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from swarm.runtime.regime.errors import ExtraMissing, TapeRefused

BYTES_MOST = 512 * 2**20
"""Of one file: five years of one-minute bars are 50 MB. A larger one is replayed in parts."""
ROWS_MOST = 5_000_000
"""Of one file, packed or not, so that a small file that unpacks for ever ends too."""
CELL_MOST = 200  #: characters: longer is no number and no time
COLUMNS_MOST = 1_000
_BATCH = 65_536
_OTHER_MARKS = set(";\t|")  #: what parts columns where the comma is in the numbers


def rows_of(path: Path) -> Iterator[list[Any]]:
    """The names of the columns, then each row. Raises TapeRefused, ExtraMissing, OSError."""
    size = path.stat().st_size
    if not path.is_file():
        raise TapeRefused(f"{path} is no file; a CSV or Parquet file is wanted")
    if not size:
        raise TapeRefused(f"{path} is empty; a header and rows are wanted")
    if size > BYTES_MOST:
        right = f"at most {BYTES_MOST:,}; replay it in parts with --save and --resume"
        raise TapeRefused(f"{path} has {size:,} bytes; {right}")
    with path.open("rb") as file:
        packed = file.read(4)
    source = _parquet(path) if packed == b"PAR1" else _text(path, packed[:2] == b"\x1f\x8b")
    for number, row in enumerate(source):
        if number > ROWS_MOST:
            right = f"at most {ROWS_MOST:,}; replay it in parts with --save and --resume"
            raise TapeRefused(f"{path} has more rows than that; {right}")
        yield row


def _text(path: Path, packed: bool) -> Iterator[list[Any]]:  # noqa: FBT001 - read from the file
    with path.open("rb") as raw:
        unpacked: Any = gzip.GzipFile(fileobj=raw) if packed else raw
        reader = csv.reader(io.TextIOWrapper(unpacked, encoding="utf-8-sig", newline=""))
        try:
            width, empty = 0, 0
            for row in reader:
                if not row:
                    empty = reader.line_num
                    continue
                if empty and width:
                    raise TapeRefused(f"{path} line {empty} is empty; a row is wanted")
                width = width or len(row)
                if len(row) != width or width > COLUMNS_MOST:
                    wrong = f"has {len(row)} columns"
                    raise TapeRefused(f"{path} line {reader.line_num} {wrong}; {width} are wanted")
                yield row
        except (UnicodeDecodeError, csv.Error, gzip.BadGzipFile, EOFError, zlib.error) as error:
            where = f"{path} near line {reader.line_num}"
            raise TapeRefused(f"{where} is unreadable ({error}); UTF-8 CSV is wanted") from error


def _parquet(path: Path) -> Iterator[list[Any]]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - of the extra `regime`
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise ExtraMissing(f"{path} is a Parquet file, and pyarrow is not installed") from error
    try:
        with parquet.ParquetFile(path, pre_buffer=False) as file:
            yield list(file.schema_arrow.names)
            # One thread: columns are few, and a thread more can be refused by the machine.
            for batch in file.iter_batches(batch_size=_BATCH, use_threads=False):
                # Times as integers: Python's own have microseconds, a market has nanoseconds.
                held = [_plain(column, pa) for column in batch.columns]
                yield from map(list, zip(*held, strict=True))
    except (pa.ArrowException, OSError) as error:
        raise TapeRefused(f"{path} is unreadable ({error}); a Parquet file is wanted") from error


def _plain(column: Any, pa: Any) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ns", tz=column.type.tz)).cast(pa.int64())
    return list(column.to_pylist())


def header_of(rows: Iterator[list[Any]], path: Path) -> tuple[list[str], Iterator[list[Any]]]:
    """The names of the columns, and the rows below. Refuses a file without any row, and twins."""
    names = [str(name).strip() for name in next(rows, [])]
    if len(names) == 1 and (parted := _OTHER_MARKS & set(names[0])):
        right = "a comma between columns and a point in numbers are wanted"
        raise TapeRefused(f"{path} parts its columns by {min(parted)!r}; {right}")
    first = next(rows, None)
    if first is None:
        raise TapeRefused(f"{path} has no row below its header; at least two prices are wanted")
    if twins := {name for name in names if names.count(name) > 1}:
        raise TapeRefused(f"{path} has column {min(twins)!r} twice; each name once is wanted")
    return names, chain([first], rows)
