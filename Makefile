# Targets explain themselves: `make help`. CI calls the same ones.
.DELETE_ON_ERROR:
# Looked for once, and only where an environment is made.
PYTHON ?= $(eval PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done))$(PYTHON)
VENV := .venv
BIN := $(VENV)/bin
# Only the clone is changed: wheels are kept in the environment for as long as they are installed.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-cache-dir
CACHE := $(VENV)/wheels
# Where pip finds a mirror and a proxy's certificate, uv does too.
UV := $(BIN)/uv --quiet --cache-dir $(CACHE) $(if $(wildcard /etc/ssl/certs/ca-certificates.crt),--system-certs)
MIRROR := $${PIP_INDEX_URL:+--default-index "$$PIP_INDEX_URL"}
INSTALL := VIRTUAL_ENV=$(abspath $(VENV)) $(UV) pip install $(MIRROR)
LOCK := $(UV) pip compile $(MIRROR) --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	--custom-compile-command "make lock" pyproject.toml

# Where Python is told to keep no compiled modules, each of many processes would compile them again.
export PYTHONDONTWRITEBYTECODE :=

# Two processes of tests have two cores: threads of BLAS would wait for each other.
test test-long test-releases test-random test-remote: export OPENBLAS_NUM_THREADS := 1

# In a lake of its own, or it would find that everything is done.
ON_SPARK := OBSERVATORY_ENGINE_NAME=spark OBSERVATORY_LAKE_ROOT=$(CURDIR)/build/lake-spark

VERSITYGW := v1.8.0

# What `make test` runs.
SHORT := not site and not remote and not airflow and not long

.PHONY: help demo test test-long test-releases test-random test-site test-remote check setup setup-dev setup-spark setup-spark-store setup-sources airflow notebook benchmark docs \
	test-one format derived wheel lock clean

help:  ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

demo: setup $(if $(filter spark,$(ENGINE)),setup-spark)  ## Run the sample study, from logs to a release; ENGINE=spark: on Spark
	@$(if $(filter spark,$(ENGINE)),$(ON_SPARK)) $(BIN)/observatory demo

test: setup-dev  ## Run the tests that take less than about a second each
	@$(BIN)/python -m pytest -q --numprocesses 2 --dist loadfile --no-loadscope-reorder -m "$(SHORT)"

test-one: setup-dev  ## The short tests whose name or file has NAME in it, as in NAME=spam_volume
	@test -n "$(NAME)" || { echo "Name what to test: make test-one NAME=spam_volume"; exit 2; }
	@$(BIN)/python -m pytest -q -m "$(SHORT)" -k "$(NAME)"

test-long: setup-dev setup-spark  ## The slower ones: kill -9, whole runs, also with the real Airflow (needs OpenSSH's server)
	@$(BIN)/python -m pytest -q --numprocesses 2 --dist loadfile -m "(airflow or long) and not releases and not remote and not site" --hypothesis-profile thorough --durations 20

test-releases: setup-dev  ## Releases in a row, attacked together: half an hour, which is more than CI has
	@$(BIN)/python -m pytest -q --numprocesses 2 --dist load -m releases

test-random: setup-dev  ## Property tests with other examples than `make test` tries, and five times as many
	@$(BIN)/python -m pytest -q --numprocesses 2 --dist loadfile -m "hypothesis and not site and not remote and not airflow" --hypothesis-profile random

test-site: setup-dev  ## Look at the report in a real browser (needs Chromium and pdftotext)
	@$(BIN)/python -m pytest -q -m site

test-remote: setup-dev setup-spark-store $(BIN)/versitygw  ## Logs on real SSH and S3 servers, and a lake on S3, on Spark, too (needs OpenSSH's server and Go)
	@$(BIN)/python -m pytest -q --numprocesses 2 --dist loadfile -m remote

check: setup-dev  ## Lint, types, and drift of derived files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache --no-logo
	@$(BIN)/python -m benchmarks.house --circles
	@$(BIN)/python -m schemas.dictionary --check

setup: $(VENV)/run.stamp  ## Make the environment, once

setup-dev: $(VENV)/dev.stamp

setup-spark: $(VENV)/spark.stamp

setup-spark-store: $(VENV)/spark-store.stamp  ## Add the jars with which Spark reaches a lake in an object store (690 MB)

setup-sources: $(VENV)/sources.stamp  ## Add what reads logs over SFTP and from S3, and sends lineage

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "No Python of 3.11 or later found: name one with PYTHON=..."; exit 2; }
	@"$(PYTHON)" -m venv $(VENV) || { echo "$(PYTHON) cannot make an environment: install its venv module \
	(on Debian and Ubuntu: apt-get install python3-venv)"; rm -rf $(VENV); exit 2; }

$(VENV)/tools.stamp: requirements/tools.lock | $(BIN)/python
	@$(PIP) --require-hashes -r $<
	@touch $@

$(VENV)/run.stamp: requirements/run.lock pyproject.toml $(VENV)/tools.stamp
	@echo "Installing the pipeline's packages ..."
	@$(INSTALL) --require-hashes -r $<
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@rm -rf $(CACHE)
	@touch $@

$(VENV)/dev.stamp: requirements/dev.lock $(VENV)/run.stamp
	@echo "Installing what tests and Airflow need ..."
	@$(INSTALL) --require-hashes -r $<
	@rm -rf $(CACHE)
	@touch $@

# Spark reads the tables in one test; its engine needs a Java and the Delta jars, too.
$(VENV)/spark.stamp: requirements/spark.lock $(VENV)/run.stamp
	@echo "Installing Spark ..."
	@$(INSTALL) --require-hashes -r $<
	@rm -rf $(CACHE)
	@$(BIN)/python -m jobs.base.engine.java
	@touch $@

$(VENV)/spark-store.stamp: $(VENV)/spark.stamp
	@$(BIN)/python -m jobs.base.engine.java --s3
	@touch $@

$(VENV)/sources.stamp: requirements/sources.lock $(VENV)/run.stamp
	@echo "Installing what reads logs over SFTP and from S3 ..."
	@$(INSTALL) --require-hashes -r $<
	@rm -rf $(CACHE)
	@touch $@

# A server that speaks S3, for tests.
$(BIN)/versitygw: | $(BIN)/python
	@GOBIN=$(abspath $(BIN)) go install github.com/versity/versitygw/cmd/versitygw@$(VERSITYGW)

lock: $(VENV)/tools.stamp  ## Resolve the requirement files of all install sets from pyproject.toml
	@$(LOCK) --extra dev --extra airflow --extra sftp --extra s3 --extra lineage -o requirements/dev.lock
	@$(LOCK) -c requirements/dev.lock -o requirements/run.lock
	@$(LOCK) --extra spark --extra sftp --extra s3 --extra lineage -c requirements/dev.lock -o requirements/spark.lock
	@$(LOCK) --extra sftp --extra s3 --extra lineage -c requirements/dev.lock -o requirements/sources.lock
	@$(filter-out pyproject.toml,$(LOCK)) --group pyproject.toml:tools -o requirements/tools.lock
	@$(filter-out pyproject.toml,$(LOCK)) --group pyproject.toml:java -o requirements/java.lock
	@$(filter-out pyproject.toml,$(LOCK)) --group pyproject.toml:airflow -c requirements/dev.lock -o requirements/airflow.lock
	@rm -rf $(CACHE)

notebook: setup-dev  ## Run the economist's notebook on the demo's lake, to build/economist.html
	@$(BIN)/python docs/run_notebook.py

airflow: setup-dev $(if $(filter spark,$(ENGINE)),setup-spark)  ## Open Airflow on the sample study at http://localhost:8080; ENGINE=spark: on Spark
	@$(if $(filter spark,$(ENGINE)),$(ON_SPARK)) docker/airflow_standalone.sh

benchmark: setup-dev  ## Compare speed and memory with other programs, formats with a raw copy, and show where time goes
	@$(BIN)/python -m benchmarks.speed --days
	@$(BIN)/python -m benchmarks.formats
	@$(BIN)/python -m benchmarks.measures

docs: setup-dev  ## Build the documentation as a site, to build/docs; a link that leads nowhere is an error
	@$(BIN)/sphinx-build -q --fail-on-warning -b html -c docs/site . build/docs
	@echo "The site: build/docs/index.html"

wheel: setup-dev  ## Build the wheel, to build/wheel, and print its SHA-256
	@rm -rf build/wheel build/lib build/bdist.*
	@SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m pip --disable-pip-version-check wheel --quiet --no-deps --no-build-isolation --no-index --no-cache-dir \
		--wheel-dir build/wheel .
	@rm -rf build/lib build/bdist.*
	@cd build/wheel && sha256sum *.whl

derived: setup-dev  ## Write the files that derive from the contracts
	@$(BIN)/python -m schemas.dictionary

format: setup-dev  ## Format the code
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .

clean:  ## Remove what runs made; the environment stays
	rm -rf build/lake build/lake-spark build/report build/airflow
