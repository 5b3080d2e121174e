"""Files that Spark needs besides its packages, fetched by a program in Spark's place."""

from dataclasses import replace
from pathlib import Path

import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.base.engine import java

# Spark's own program: what it is told of this machine's address, and a jar for each name of the folder.
SUBMIT = """#!/bin/sh
echo "$SPARK_LOCAL_IP" > "$SPARK_HOME/address"
for word; do case "$word" in spark.jars.ivy=*) ivy="${word#*=}" ;; esac; done
mkdir "$ivy/jars"
for name in $NAMES; do touch "$ivy/jars/$name.jar"; done
"""


@pytest.fixture
def jars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> java.Jars:
    """Two jars that are wanted, and the program that brings those that NAMES names."""
    submit = tmp_path / "spark" / "bin" / "spark-submit"
    submit.parent.mkdir(parents=True)
    submit.write_text(SUBMIT)
    submit.chmod(0o755)
    monkeypatch.setattr(java, "spark_home", lambda: tmp_path / "spark")
    monkeypatch.setattr(java, "java_home", lambda: tmp_path / "java")
    monkeypatch.setattr(java, "HOME", tmp_path / "build")
    return replace(java.DELTA, folder=tmp_path / "build" / "jars", count=2)


def test_jars_come_to_a_machine_whose_name_has_no_address(
    jars: java.Jars, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAMES", "one two")
    monkeypatch.delenv("SPARK_LOCAL_IP", raising=False)
    java.fetch_jars(jars)
    assert (tmp_path / "spark" / "address").read_text() == "127.0.0.1\n"
    assert sorted(each.name for each in jars.folder.iterdir()) == ["one.jar", "two.jar"]
    assert not (tmp_path / "build" / "ivy" / "jars").exists()


def test_fewer_jars_than_wanted_are_none(jars: java.Jars, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAMES", "one")
    with pytest.raises(ObservatoryError, match="could not be fetched; is there a network"):
        java.fetch_jars(jars)
    assert not jars.folder.exists()
