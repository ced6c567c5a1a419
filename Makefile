# Needs git, make and Python 3.11 to 3.14. Each target first sets up what it needs, in .venv.
WORKS := import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))
# The newest that is there and runs: of some Pythons only the name is there.
PYTHON ?= $(shell for name in python3.14 python3.13 python3.12 python3.11 python3 python; do \
	$$name -c '$(WORKS)' 2> /dev/null && echo $$name && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check install --no-deps --no-compile
UV := $(BIN)/uv pip install --quiet --python .venv --no-deps
# uv needs a tenth of pip's time. Where it cannot, for instance since only pip knows your index, pip does it.
install = $(UV) $(1) || { echo "uv could not install this; pip does"; $(PIP) $(1); }
# All pins are hashes of the package index. The index of PyTorch has the build for the CPU, which is 4 GB smaller.
CPU := https://download.pytorch.org/whl/cpu

# Programs in .venv know its folder's name: where the folder was moved or copied, all is made anew.
# A .venv that is a link belongs to another folder, and is used as it is.
OURS := import os, pip, sys; here = os.path.abspath(".venv"); \
	made = [line for line in open(".venv/pyvenv.cfg") if line.startswith("command")]; \
	sys.exit(sys.prefix != here or not all(line.endswith(f" {here}\n") for line in made))
ifneq ($(shell test -L .venv && echo link),link)
  INSTALLED := .venv/installed
  DEV := .venv/dev
  ANEW := $(shell $(BIN)/python -c '$(OURS)' 2> /dev/null || echo anew)
endif

# The code that runs is that of this folder, whatever an environment has.
export PYTHONPATH := $(CURDIR):$(CURDIR)/book
# Without kept bytecode, each notebook compiles 5,000 modules again: 25 seconds of an old core.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup book pages test quick mutants lint site-test colab-test deepfloyd-test pairs address pins runtime links serve pdf clean anew

setup: $(INSTALLED)

book: $(INSTALLED)
	rm -rf _build/html
	$(MAKE) pages

# Over the site that is there, which can be looked at meanwhile. MEMORY=2 runs as many chapters at once as 2 GB hold.
pages: export MEMORY := $(MEMORY)
pages: $(INSTALLED)
	rm -rf _build/html/reports
	$(BIN)/python -m _ext.execute
	$(BIN)/jupyter-book build . -W --keep-going --all
	$(BIN)/python -m _ext.check_site

# Each of the two workers computes on one thread; more would only get in each other's way.
test: export OMP_NUM_THREADS = 1
test: $(DEV) lint
	$(BIN)/pytest -q -n 2 -rs --junitxml=_build/reports/tests.xml tests --doctest-modules diffusion_utils
	BOOK_PROFILE=fast $(BIN)/pytest -q -n 2 --dist loadfile --junitxml=_build/reports/chapters.xml \
		--nbval-lax --nbval-current-env --nbval-cell-timeout=600 book
	@if command -v node > /dev/null; then node --test tests/js; \
		else echo "left out: the tests of the live pages' scripts need node 20"; fi

# What most edits can break, in less than a minute.
QUICK = accessible check_site denoisers diagrams emoji64_network equations files filters images_of_the_site imports metrics mutants \
	muon pairs profile quoted_code sampling schedule show tasks unet views
quick: export OMP_NUM_THREADS = 1
quick: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/pytest -q -n 2 $(QUICK:%=tests/test_%.py)

# Plants faults in a copy of the code, one at a time, and says which of them the tests notice.
mutants: export OMP_NUM_THREADS = 1
mutants: $(DEV)
	$(BIN)/python tests/mutants/plant.py

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/zizmor --offline --quiet .

# The built site in Chromium. `make test` leaves these tests out where something is missing; here that is a failure.
site-test: export REQUIRE_BROWSER = 1
site-test: $(DEV)
	$(BIN)/pytest -q -n 2 --junitxml=_build/reports/site.xml tests/site

# Every notebook alone, in an environment that does not have this book. Takes minutes, and 6 GB of disk.
colab-test: $(DEV)
	$(BIN)/python tests/foreign/run.py

# Part A on DeepFloyd IF, on a model of its classes with few channels and random weights. Takes minutes.
deepfloyd-test: $(DEV)
	$(BIN)/python tests/foreign/deepfloyd.py

# The .py of a chapter is the one to edit; its first cell and its notebook are made.
pairs: $(INSTALLED)
	$(BIN)/python -m _ext.pairs

# Sets the book's address everywhere: that of this clone's origin, or URL=https://github.com/OWNER/NAME
address: $(INSTALLED)
	$(BIN)/python -m _ext.address "$(URL)"
	$(MAKE) pairs

# Resolves what pyproject.toml names, for all supported Pythons and systems; add LOCK=--upgrade for newer versions.
pins: $(DEV)
	$(BIN)/uv pip compile $(RESOLVE) pyproject.toml --group book -o requirements.txt
	$(BIN)/uv pip compile $(RESOLVE) --group dev -c requirements.txt -o requirements-dev.txt
RESOLVE = --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--custom-compile-command "make pins" $(LOCK)

# The runtime of the live pages as npm has it, which is in book/_static/live: for another version, change these two lines.
ORT := 1.30.0
ORT_SHA512 := q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==
runtime:
	mkdir -p _build/ort
	cd _build/ort && npm pack --silent onnxruntime-web@$(ORT)
	openssl dgst -sha512 -binary _build/ort/onnxruntime-web-$(ORT).tgz | base64 -w 0 | grep -qFx "$(ORT_SHA512)"
	tar xzf _build/ort/onnxruntime-web-$(ORT).tgz -C _build/ort
	cp _build/ort/package/dist/ort.wasm.bundle.min.mjs book/_static/live/ort.mjs
	gzip -9 -n -c _build/ort/package/dist/ort-wasm-simd-threaded.wasm > book/_static/live/ort.wasm.gz
	cp _build/ort/package/dist/ort.jspi.bundle.min.mjs book/_static/live/ort.jspi.mjs
	gzip -9 -n -c _build/ort/package/dist/ort-wasm-simd-threaded.jspi.wasm > book/_static/live/ort.jspi.wasm.gz

# Asks other hosts, so it is no part of `make test`. The addresses are in the text: no chapter runs.
links: $(INSTALLED)
	mkdir -p _build
	sed 's/execute_notebooks: cache/execute_notebooks: "off"/' _config.yml > _build/links.yml
	$(BIN)/jupyter-book build . --config _build/links.yml --builder custom --custom-builder linkcheck

# Shows the site at http://127.0.0.1:8000 and builds it again, in small, after each edit. PORT=8001 takes another port.
# The server runs in the background, where Ctrl-C does not reach it.
PORT := 8000
serve: $(INSTALLED)
	@$(BIN)/python -c "import socket; socket.create_server(('127.0.0.1', $(PORT)))" 2> /dev/null || \
		{ echo "port $(PORT) is taken: stop what uses it, or say make serve PORT=8001"; exit 1; }
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html $(PORT) & \
	trap "kill $$!" EXIT; trap exit INT TERM; \
	BOOK_PROFILE=fast $(BIN)/watchfiles --filter _ext.sources.Sources \
		--ignore-paths _build,runs,tests "make pairs pages" .

# The whole book as one PDF, printed by Chromium from the built site.
pdf: $(INSTALLED)
	$(BIN)/python -m _ext.pdf

clean:
	rm -rf _build

# What is CUDA's is left out where torch is the build for the CPU: no other package needs it.
.venv/installed: requirements.txt requirements-dev.txt pyproject.toml $(ANEW)
	@test -n "$(PYTHON)" || { echo "no Python 3.11 to 3.14 that runs and has venv: see Start in the README"; exit 1; }
	$(if $(ANEW),$(PYTHON) -m venv --clear .venv)
	awk '/^[^ ]/ { uv = /^uv==/ } uv' requirements-dev.txt > .venv/uv.txt
	$(PIP) --require-hashes -r .venv/uv.txt
	test "$$(uname)" != Linux || command -v nvidia-smi > /dev/null || test -e $(BIN)/../lib/python3*/site-packages/torch || \
		UV_HTTP_TIMEOUT=5 UV_HTTP_RETRIES=0 $(UV) --default-index $(CPU) $(foreach name,torch torchvision,$(shell \
		sed -n 's/^\($(name)==[0-9.]*\).*/\1+cpu/p' requirements.txt)) 2> /dev/null || echo "no build for the CPU"
	if test -e $(BIN)/../lib/python3*/site-packages/torch-*+cpu.dist-info; then cuda='^(cuda|nvidia|triton)'; else cuda='^$$'; fi; \
		awk -v cuda="$$cuda" '/^[^ ]/ { left_out = $$0 ~ cuda } !left_out' requirements.txt > .venv/requirements.txt
	$(call install,--require-hashes -r .venv/requirements.txt)
	$(call install,--no-build-isolation --editable .)
	touch $@

.venv/dev: .venv/installed requirements-dev.txt
	$(call install,--require-hashes -r requirements-dev.txt)
	touch $@

anew:
