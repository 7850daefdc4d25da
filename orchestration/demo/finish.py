"""From a plain UTF-8 file of good records to the delivered one.

Works on whole blocks of bytes: broken lines are put in their places, text is encoded and
compressed, and the result is hashed while it is written.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestration.demo.faults import BAD_BYTES, BAD_MARK

CHUNK = 1 << 20


@dataclass(frozen=True)
class FinishJob:
    """How a plain UTF-8 file becomes the delivered one.

    `inserted` are (physical line, text) in rising order, counted in the delivered file; `header` is
    empty or one line.
    """

    plain: Path
    target: Path
    header: bytes
    encoding: str
    with_bom: bool
    inserted: tuple[tuple[int, str], ...]
    copy_to: Path | None


def finish_file(job: FinishJob) -> tuple[str, int]:
    """Encode, compress, hash and rename a file; return its SHA-256 and its size in bytes."""
    part = job.target.with_name(f".{job.target.name}.tmp")
    digest, size = hashlib.sha256(), 0
    with part.open("wb") as out:
        for block in _compressed(job) if job.target.suffix == ".gz" else _encoded(job):
            digest.update(block)
            size += len(block)
            out.write(block)
    job.plain.unlink()
    part.replace(job.target)
    if job.copy_to is not None:
        job.copy_to.write_bytes(job.target.read_bytes())
    return digest.hexdigest(), size


def _blocks(job: FinishJob) -> Iterator[bytes]:
    """Blocks of the plain file with the broken lines in their places."""
    waiting = list(job.inserted)
    line = 2 if job.header else 1
    with job.plain.open("rb") as lines:
        while block := lines.read(CHUNK):
            if not waiting:
                yield block
                continue
            block += lines.readline()
            held = block.count(b"\n")
            start = 0
            while waiting and waiting[0][0] < line + held:
                place, text = waiting.pop(0)
                stop = start
                for _ in range(place - line):
                    stop = block.index(b"\n", stop) + 1
                yield block[start:stop]
                yield text.encode() + b"\n"
                held -= place - line
                start, line = stop, place + 1
            yield block[start:]
            line += held
    for _, text in waiting:
        yield text.encode() + b"\n"


def _encoded(job: FinishJob) -> Iterator[bytes]:
    """Blocks of the file in its declared encoding."""
    encoding = "utf-16-le" if job.encoding == "utf-16" else job.encoding
    if job.with_bom or job.encoding == "utf-16":
        yield "\ufeff".encode(encoding)
    yield job.header.decode().encode(encoding)
    rest = b""
    for block in _blocks(job):
        if encoding != "utf-8":
            whole = (rest + block).rfind(b"\n") + 1
            block, rest = (rest + block)[:whole], (rest + block)[whole:]
            block = block.decode().encode(encoding)
        yield block.replace(BAD_MARK, BAD_BYTES) if job.inserted else block


def _compressed(job: FinishJob) -> Iterator[bytes]:
    """The same as one gzip member without a time stamp."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    for block in _encoded(job):
        yield packer.compress(block)
    yield packer.flush()
