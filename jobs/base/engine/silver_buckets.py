"""Into how many buckets and cuts silver is computed: as many as the memory of a task demands."""

# How many times the bytes of its logs a bucket takes in memory, and the most bytes that pay.
EXPANSION = 14
LARGEST_BUCKET = 48 << 20
# Fewer bytes of logs than this are one bucket.
SMALLEST_BUCKET = 1 << 20
# A cut has the narrow rows of so many buckets: they take less memory than all rows of one. More cuts would be
# more frames in staging, of which each bucket leaves one for each cut.
BUCKETS_OF_A_CUT = 32


def bucket_count(log_bytes: int, task_bytes: int, workers: int) -> int:
    """The number of buckets for so many bytes of logs: a power of two."""
    fits = largest_bucket(task_bytes)
    wanted = max(-(-log_bytes // fits), min(workers, log_bytes // SMALLEST_BUCKET), 1)
    return 1 << (wanted - 1).bit_length()


def largest_bucket(task_bytes: int) -> int:
    """The most bytes of logs, or of frames in staging, that one task takes."""
    return max(min(task_bytes // EXPANSION, LARGEST_BUCKET), 1 << 20)


def cut_count(buckets: int) -> int:
    """The number of cuts for so many buckets, which is a power of two: a divisor of it."""
    return max(buckets // BUCKETS_OF_A_CUT, 1)
