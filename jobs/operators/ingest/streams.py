"""The stream that a file continues: the longest one whose landed bytes it begins with."""

import hashlib
from typing import IO, Any

from jobs.operators.ingest.chunks import Chunks
from jobs.operators.ingest.manifest import Digest, KnownStreams, Stream, landed_bytes

SAMPLE = 64 << 10


def find_stream(
    fs: Any, known: KnownStreams, raw: IO[bytes], head: bytes
) -> tuple[Stream | None, Chunks, Digest]:
    """The longest stream that the file continues, or that already holds all of the file.

    Also the file read up to there, and the digest of what was read. All is read from the one open file: by
    its name another might be found by now. The file is read once, however many streams begin as it does;
    what is new in it is read after that.
    """
    digest, chunks = Digest(), Chunks(raw)
    longest: Stream | None = None
    alike = known.find_beginnings(head)
    sizes = alike[0].sizes if len(alike) == 1 else sorted({size for each in alike for size in each.sizes})
    if len(head) < SAMPLE and any(
        each.find_stream(len(head), hashlib.sha256(head).hexdigest()) for each in alike
    ):
        # A small file that is known is found in one look-up, however many begin alike.
        sizes = [len(head)]
    for size in sizes:
        chunks.skip_bytes(size - digest.bytes, digest)
        if digest.bytes < size:
            break
        found = [each.find_stream(size, digest.hexdigest()) for each in alike]
        longest = next((each for each in found if each is not None), longest)
    if longest is not None and longest.bytes == digest.bytes:
        return longest, chunks, digest
    # A shorter copy of what is landed already, such as a backup or a truncated download.
    for each in alike:
        found_removed = each.find_removed(digest.bytes, digest.hexdigest())
        if found_removed is not None:
            return found_removed, chunks, digest
        for stream in each.find_longer(fs, digest, head):
            if stream.bytes > digest.bytes and is_beginning(fs, stream, raw, digest):
                return stream, chunks, digest
    digest, chunks = Digest(), Chunks(raw)
    if longest is not None:
        chunks.skip_bytes(longest.bytes, digest)
    return longest, chunks, digest


def is_beginning(fs: Any, stream: Stream, raw: IO[bytes], digest: Digest) -> bool:
    """Return whether a file of these bytes holds the first ones of a stream.

    Of bytes that retention removed only the ends of pieces are known, so that no file is known by fewer. One
    that ends before them is landed anew, whatever it holds: its days are closed, and its lines are late.
    """
    gone = stream.removed_bytes
    if not gone:
        return digest.hexdigest() == landed_digest(fs, stream, digest.bytes)
    if digest.bytes <= gone:
        return False
    chunks, first, rest = Chunks(raw), Digest(), Digest()
    chunks.skip_bytes(gone, first)
    if first.hexdigest() != stream.removed[str(gone)]:
        return False
    chunks.skip_bytes(digest.bytes - gone, rest)
    return rest.hexdigest() == landed_digest(fs, stream, rest.bytes)


def landed_digest(fs: Any, stream: Stream, size: int) -> str:
    """SHA-256 of the first `size` bytes that landing has of a stream."""
    digest = hashlib.sha256()
    for block in landed_bytes(fs, stream, size):
        digest.update(block)
    return digest.hexdigest()
