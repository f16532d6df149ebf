# make run    set everything up, then data set -> gated, pushed model (generated films by default)
# make test   set everything up, then the test suite
# make check  lint, format and types
# make bench  speed beside the plain way; needs DATA= and BACKBONE=, a Keras model file
# make pictures  the README's pictures, of a finished run, RUN=, that pushed a model; needs chromium
# make lock   resolve the dependencies of setup.py again
# make image  the container image, by Docker; IMAGE= names it, GPU=1 puts CUDA's libraries into it
# make test-image  the image, the test suite in it, the compiled pipeline in containers of it
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: run test check bench pictures lock image test-image

CONFIG ?= $(if $(DATA),default,demo)
OUTPUT ?= runs/$(CONFIG)
ARGS ?=
# TensorFlow's own notices would bury the answers.
export TF_CPP_MIN_LOG_LEVEL ?= 2

READY := .venv/.ready
PY := .venv/bin/python

run: $(READY)
	.venv/bin/cxr run --config $(CONFIG) $(if $(DATA),--data '$(DATA)') --output '$(OUTPUT)' $(ARGS)

test: $(READY)
	$(PY) -m pytest $(ARGS)

check: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

bench: OUTPUT := runs/bench
bench: $(READY)
	@test -n '$(DATA)' -a -n '$(BACKBONE)' || { echo "make bench needs DATA=, the data set's folder, and BACKBONE=, a Keras model file; got DATA=$(DATA) BACKBONE=$(BACKBONE)." >&2; exit 2; }
	$(PY) -m bench.speed --data '$(DATA)' --backbone '$(BACKBONE)' --output '$(OUTPUT)'

RUN ?= runs/demo
pictures: $(READY)
	$(PY) -m bench.pictures --run '$(RUN)' --output docs/pictures

# uv finds python3.10 (pyenv answers through .python-version) or downloads one.
$(READY): requirements/lock.txt setup.py .uv/bin/uv
	@.uv/bin/uv venv --quiet --clear --python 3.10 .venv || { echo "Python 3.10 was not found and could not be downloaded: install python3.10 (TFX 1.16 runs on no newer one) and run make again." >&2; exit 2; }
	.uv/bin/uv pip sync --quiet --python $(PY) --compile-bytecode --require-hashes requirements/lock.txt
	.uv/bin/uv pip install --quiet --python $(PY) --no-deps --no-build-isolation --editable .
	@touch $@

.uv/bin/uv: requirements/uv.txt
	@rm -rf .uv && python3 -m venv .uv || { echo "python3 could not make a virtual environment: install python3-venv and run make again." >&2; rm -rf .uv; exit 2; }
	.uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/uv.txt
	@touch $@

UV_COMPILE := .uv/bin/uv pip compile --quiet --generate-hashes --custom-compile-command 'make lock'
# The image's Python and C library; its wheels need this glibc.
IMAGE_PYTHON := --python-version 3.13 --python-platform x86_64-manylinux_2_40

lock: .uv/bin/uv
	$(UV_COMPILE) --python-version 3.10 --extra dev --output-file requirements/lock.txt setup.py
	$(UV_COMPILE) $(IMAGE_PYTHON) --extra kubeflow --output-file requirements/lock-tfx-1.21.txt setup.py
	$(UV_COMPILE) $(IMAGE_PYTHON) --extra kubeflow --extra gpu --constraint requirements/lock-tfx-1.21.txt --output-file requirements/lock-tfx-1.21-gpu.txt setup.py
	$(UV_COMPILE) $(IMAGE_PYTHON) --extra test --constraint requirements/lock-tfx-1.21.txt --output-file requirements/lock-tfx-1.21-test.txt setup.py

VERSION := $(shell sed -n 's/^ *version="\(.*\)",/\1/p' setup.py)
GPU ?=
IMAGE ?= chest-xray-pneumonia:$(VERSION)$(if $(GPU),-gpu)
BASE ?= debian:trixie-slim
BUILD = docker build --file kubeflow/Dockerfile --build-arg BASE='$(BASE)' --build-arg LOCK=lock-tfx-1.21$(if $(GPU),-gpu).txt --build-arg VERSION='$(VERSION)' --build-arg REVISION="$$(git describe --always --dirty --abbrev=40 --exclude='*')"

image:
	$(BUILD) --target runtime --tag '$(IMAGE)' .

test-image: image $(READY)
	$(BUILD) --target test --tag '$(IMAGE)-test' .
	docker run --rm --network none --hostname localhost '$(IMAGE)-test'
	CXR_IMAGE='$(IMAGE)' $(PY) -m pytest --numprocesses=0 tests/pipeline/runners/kubeflow/test_image.py tests/pipeline/runners/kubeflow/test_cluster.py
