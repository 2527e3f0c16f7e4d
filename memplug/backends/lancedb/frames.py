"""The bytes of a journal: one frame for each commit, however many records it has.

    frame     MAGIC · length of the payload (u64) · crc32 of the payload (u32) · crc32 of the 16 bytes before (u32)
              · payload
    payload   records (u32) · dimension (u32) · length of each body (u32 each) · whether each has a vector (u8 each)
              · bodies, JSON in UTF-8 (`rows.packed`) · vectors, float32

All numbers are little-endian. The last byte of `MAGIC` is the format; its first is in no UTF-8, so no text of a memory
can look like a frame. A commit shows whole or not at all, since nothing is taken of a frame before its sum is right.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from memplug.backends.lancedb.rows import packed, record_of
from memplug.exceptions import BackendError, MalformedInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memplug.values.item import Record

MAGIC = b"\xffMJ\x01"
_HEAD = struct.Struct("<4sQI")
_SUM = struct.Struct("<I")
_COUNTS = struct.Struct("<II")
_BEGIN = _HEAD.size + _SUM.size


def frame(records: Sequence[Record], dimension: int) -> bytes:
    """The records as one frame.

    Raises:
        MalformedInput: One of them cannot be stored.
    """
    bodies = packed(records)
    vectors = [record.vector for record in records]
    try:
        payload = b"".join(
            [
                _COUNTS.pack(len(records), dimension),
                struct.pack(f"<{len(bodies)}I", *map(len, bodies)),
                bytes(vector is not None for vector in vectors),
                *bodies,
                *(vector.astype("<f4", copy=False).tobytes() for vector in vectors if vector is not None),
            ]
        )
    except struct.error as error:
        raise MalformedInput(f"a memory cannot be stored: {error}") from error
    head = _HEAD.pack(MAGIC, len(payload), zlib.crc32(payload))
    return head + _SUM.pack(zlib.crc32(head)) + payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What some bytes of a journal are.

    Args:
        payloads: Where the payload of each sound frame begins and ends.
        sound: So many bytes from the beginning are sound frames without anything between them.
        damaged: Whether there are bytes that are neither sound frames nor, at the end, the beginning of one.
    """

    payloads: list[tuple[int, int]]
    sound: int
    damaged: bool


def scanned(data: bytes) -> Scan:
    """Finds the frames in bytes that begin where one should; also those behind bytes that are damaged."""
    payloads: list[tuple[int, int]] = []
    place, sound, damaged = 0, 0, False
    while place < len(data):
        if end := _end(data, place):
            payloads.append((place + _BEGIN, end))
            sound = sound if damaged else end
            place = end
        elif (behind := _behind(data, place + 1)) < len(data) or not _begun(data, place):
            damaged = True
            place = behind
        else:
            break
    return Scan(payloads=payloads, sound=sound, damaged=damaged)


def _length(data: bytes, place: int) -> int | None:
    """How long the payload of a frame is whose beginning is sound."""
    if len(data) - place < _BEGIN or not data.startswith(MAGIC, place):
        return None
    (told,) = _SUM.unpack_from(data, place + _HEAD.size)
    if zlib.crc32(data[place : place + _HEAD.size]) != told:
        return None
    return int(_HEAD.unpack_from(data, place)[1])


def _end(data: bytes, place: int) -> int:
    """Where the frame ends that is there; 0 where none is that is sound."""
    length = _length(data, place)
    begin = place + _BEGIN
    if length is None or len(data) - begin < length:
        return 0
    sound = zlib.crc32(memoryview(data)[begin : begin + length]) == _HEAD.unpack_from(data, place)[2]
    return begin + length if sound else 0


def _begun(data: bytes, place: int) -> bool:
    """Whether all that is there can be the beginning of a frame, of which the rest is still to come."""
    if len(data) - place < _BEGIN:
        return MAGIC.startswith(data[place : place + len(MAGIC)])
    length = _length(data, place)
    return length is not None and len(data) - place - _BEGIN < length


def _behind(data: bytes, place: int) -> int:
    """Where the next sound frame begins; the end where there is none."""
    while (place := data.find(MAGIC, place)) >= 0:
        if _end(data, place):
            return place
        place += 1
    return len(data)


def records_in(payload: bytes) -> list[Record]:
    """The records of a payload, each vector in memory of its own.

    Raises:
        BackendError: It is none, although its sum is right: something else wrote it.
    """
    try:
        count, dimension = _COUNTS.unpack_from(payload)
        lengths = struct.unpack_from(f"<{count}I", payload, _COUNTS.size)
        place = _COUNTS.size + 5 * count
        held = payload[place - count : place]
        bodies = []
        for length in lengths:
            bodies.append(json.loads(payload[place : place + length]))
            place += length
        rows = iter(np.frombuffer(payload, "<f4", offset=place).reshape(sum(held), dimension))
        return [
            record_of(body, next(rows).astype(np.float32) if has else None)
            for body, has in zip(bodies, held, strict=True)
        ]
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise BackendError(f"a commit in the journal cannot be read: {error!r}") from error
