# make demo [VIDEO=clip.mp4]   judge a clip, a picture, a folder or an address: environment, fetching, notebook, report
# make test                    every test that needs no GPU
# make evaluate [DATA="..."] [CLIPS=...]  docs/measured/RESULTS.md and docs/measured/MODEL_CARD.md anew, from the default detector on
#                              these sets of pictures and clips, and the bars that it has to clear; then the same of
#                              the other one in docs/measured/densenet121, without curves
# make unseen [TRIALS="shipped late"]  docs/measured/UNSEEN.md anew: recipes on sources left out of training; resumable
# make ablation [DATA="..."]   docs/measured/ABLATION.md anew: what each step of the recipe buys, in short trainings
# make bench [MINUTES=60]      docs/measured/BENCHMARKS.md anew: speed, memory, live; MINUTES is the long clip's length
# make soak [ONLY="images ..."]  hours of damaged files, kills and endless streams: docs/measured/RELIABILITY.md anew
# make docs [RECIPE=recipes/X.yaml]  both notebooks as pages in docs/build, train.ipynb executed if a recipe is named;
#                              the README's picture, docs/example.png, anew
# make lint                    the code's style, its types, and that a package imports only from packages before it
# make readme                  the shipped detectors' figures into README.md, their hashes into weights/SHA256SUMS, the
#                              tree of modules into docs/ARCHITECTURE.md
# make lock                    requirements.txt anew from requirements.in and pyproject.toml, and the lock of what make supply runs
# make supply                  docs/measured/LICENCES.md anew; are all licences fine, and does PyPI know of no hole in the lock?
# make test-extras             the tests of what is optional too (web app, ONNX, Ray, content credentials), in an environment
#                              of their own
PYTHON ?= python3
VIDEO ?=
OUT ?= output
DATA ?= ../shared/data/faces140k ../shared/data/wild ../shared/data/deepfake
CLIPS ?= ../shared/data/clips
CROPS ?= data/crops-all
DOCS ?= docs/measured
MINUTES ?= 10
ONLY ?=
RECIPE ?=
PY := .venv/bin/python
SITE := import sysconfig; print(sysconfig.get_path("purelib"))

UNSEEN ?= ../shared/data/modern ../shared/data/talking
TRIALS ?= shipped

.PHONY: unseen demo test test-extras supply evaluate ablation bench soak lint readme lock docs
.DELETE_ON_ERROR:

demo: .venv/done
	@$(PY) -m aiface.apps.demo --out "$(OUT)" $(if $(VIDEO),--video "$(VIDEO)")

test: .venv/done
	$(PY) -m pytest -n auto --dist worksteal
	@if command -v bats >/dev/null; then bats tests/shell; else echo "shell tests skipped: bats is not installed"; fi

test-extras: .venv-extras/done
	.venv-extras/bin/python -m pytest -rs tests/apps/web tests/apps/engines/test_ray.py \
	  tests/provenance/test_claims.py tests/reports/test_in_browser.py tests/training/test_export.py \
	  tests/benchmarks/test_soak.py::test_clients_for_a_moment

evaluate: .venv/done
	$(PY) -m benchmarks.quality.evaluate weights/mobilenet_v2 $(DATA) $(wildcard $(CLIPS)) --out $(DOCS)
	$(PY) -m benchmarks.quality.evaluate weights/densenet121 $(DATA) $(wildcard $(CLIPS)) --no-curves --out $(DOCS)/densenet121

unseen: .venv/done
	$(PY) -m aiface prepare $(DATA) $(UNSEEN) data/crops-five
	$(if $(findstring rebuilt,$(TRIALS)),$(PY) -m benchmarks.quality.rebuild data/crops-five data/rebuilt)
	$(PY) -m benchmarks.quality.unseen data/crops-five $(TRIALS)
	$(PY) -m benchmarks.frozen.features data/crops-five data/seen
	$(PY) -m benchmarks.frozen.heads data/crops-five data/seen
	$(PY) -m benchmarks.quality.unseen_figures runs/unseen/* --out $(DOCS)

ablation: .venv/done
	$(PY) -m aiface prepare $(DATA) $(CROPS)
	$(PY) -m benchmarks.quality.ablation $(CROPS) --out $(DOCS)

bench: .venv-extras/done
	.venv-extras/bin/python -m benchmarks.speed.bench weights/mobilenet_v2 $(addprefix --clips ,$(wildcard $(CLIPS))) \
	  $(addprefix --crops ,$(wildcard $(CROPS))) --minutes $(MINUTES) --out $(DOCS)

soak: .venv/done .venv-extras/done .venv-tools/done
	$(PY) -m benchmarks.soak $(if $(ONLY),--only $(ONLY)) --out $(DOCS)

docs: .venv/done
	$(PY) -m benchmarks.upkeep.docs $(addprefix --recipe ,$(RECIPE))

lint: .venv/done
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	.venv/bin/lint-imports --no-logo
	$(PY) -m mypy
	shellcheck fetch.sh resizing.sh tests/shell/*.bash tests/shell/*.bats .ci/run

readme: .venv/done
	cd weights && sha256sum */*.keras > SHA256SUMS
	$(PY) -m benchmarks.upkeep.readme
	$(PY) -m benchmarks.upkeep.architecture

supply: .venv/done .venv-tools/done
	$(PY) -m benchmarks.upkeep.supply --out $(DOCS)

lock:
	uv pip compile --universal --generate-hashes --python-version 3.11 --upgrade \
	  pyproject.toml --extra notebooks --extra train --extra dev -o requirements.txt
	echo 'pip-audit>=2.10,<3' | uv pip compile --universal --generate-hashes --python-version 3.11 --upgrade \
	  - -o requirements-tools.txt

.venv/done: requirements.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else \
	  f"expected Python 3.11 to 3.13 (what TensorFlow runs on), found {v[0]}.{v[1]}; name another: make PYTHON=python3.12 ...")'
	@echo "installing what requirements.txt names into .venv: once, some minutes, 4 GB"
	@$(PYTHON) -m venv .venv
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv-tools/done: requirements-tools.txt
	$(PYTHON) -m venv .venv-tools
	.venv-tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-tools.txt
	@touch $@

# Gradio takes an older Pillow than the lock has, so extras get an environment of their own, on top of the locked one
.venv-extras/done: .venv/done pyproject.toml
	$(PY) -m venv .venv-extras
	$(PY) -c '$(SITE)' > "$$(.venv-extras/bin/python -c '$(SITE)')/locked.pth"
	.venv-extras/bin/python -m pip install --quiet --disable-pip-version-check -e '.[app,export,ray,provenance]'
	@touch $@
