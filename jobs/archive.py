"""An archive of the classes that Spark loads at every start, which Java then maps instead of reading them.

    python -m jobs.archive     makes it anew; `make setup` does, once for each environment

Java itself checks that the archive fits its version and its class path, and does without one that does not.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import subprocess
import sys
import tempfile
from pathlib import Path

from jobs import toolchain
from jobs.config import Spark

# Seconds for Java to write the archive when it ends.
PATIENCE = 300


def archive() -> Path:
    """The archive's file, named after what it depends on; it need not be there."""
    java = toolchain.java_home() / "bin" / "java"
    told = subprocess.run([str(java), "-version"], capture_output=True, text=True, check=True).stderr
    parts = [told, importlib.metadata.version("pyspark"), toolchain.DELTA, str(toolchain.HOME)]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
    return toolchain.HOME / "java" / f"classes-{digest}.jsa"


def options() -> str:
    """Java options that use the archive; none if there is none."""
    file = archive()
    # Without the archive Spark starts as well, only slower: a mismatch is no news.
    return f"-XX:SharedArchiveFile={file} -Xshare:auto -Xlog:cds=off" if file.exists() else ""


def make() -> bool:
    """Run Spark over the kinds of work that a stage does, and let Java archive the classes that it loaded."""
    from pyspark import SparkContext

    from jobs.session import FIRST_COMPILER, open_session

    file = archive()
    file.parent.mkdir(parents=True, exist_ok=True)
    # One of an environment that is no more fits no jar of this one, by their dates.
    file.unlink(missing_ok=True)
    new = file.with_suffix(".new")
    settings = Spark(java_options=f"{FIRST_COMPILER} -XX:ArchiveClassesAtExit={new} -Xlog:cds=off")
    spark = open_session(settings, "archive")
    with tempfile.TemporaryDirectory() as folder:
        work(spark, f"{folder}/table")
    gateway = SparkContext._gateway
    assert gateway is not None
    java = gateway.proc
    spark.stop()
    gateway.shutdown()
    java.stdin.close()
    java.wait(PATIENCE)
    if new.exists():
        new.replace(file)
    return file.exists()


def work(spark: object, path: str) -> None:
    """What each stage does, in small: Delta written, replaced and read; joins, windows, Arrow kernels."""
    from pyspark.sql import SparkSession, Window
    from pyspark.sql import functions as F

    assert isinstance(spark, SparkSession)
    rows = spark.range(20).withColumn("day", F.date_add(F.lit("2026-01-01"), (F.col("id") % 3).cast("int")))
    rows = rows.withColumn("word", F.array(F.col("id").cast("string"), F.lit("a")))
    through = rows.mapInArrow(lambda batches: batches, rows.schema)
    for where in (None, "day = DATE '2026-01-02'"):
        chosen = through if where is None else through.filter(where)
        writer = chosen.repartition("day").write.format("delta").mode("overwrite").partitionBy("day")
        (writer if where is None else writer.option("replaceWhere", where)).save(path)
    read = spark.read.format("delta").load(path).persist()
    counted = read.groupBy("day").agg(F.count("*").alias("n"), F.collect_set("id").alias("ids"))
    ranked = read.withColumn("rank", F.row_number().over(Window.partitionBy("day").orderBy("id")))
    ranked.join(counted, on="day", how="left").select("*", F.explode("word").alias("each")).collect()
    ranked.join(F.broadcast(counted), on="day").agg(F.sum("n"), F.max_by("day", "rank")).collect()


def main() -> int:
    if make():
        return 0
    print("Java wrote no archive of its classes: commands work, and start some seconds slower.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
