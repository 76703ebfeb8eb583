# make demo [VIDEO=path]   judge a clip: the environment, the fetching, the notebook, the report
# make test                everything that can be tested on a CPU
# make lint, make lock     style of the code; requirements.txt anew from requirements.in
PYTHON ?= python3
VIDEO ?=
OUT ?= output

.PHONY: demo test lint lock clean
.DELETE_ON_ERROR:

demo: .venv/done
	.venv/bin/python -m benchmarks.demo --out "$(OUT)" $(if $(VIDEO),--video "$(VIDEO)")
