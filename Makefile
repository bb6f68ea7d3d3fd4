# robustvos: `make help` lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python cli.py
DEMO := runs/demo
TWO := --trainer.accelerator cpu --trainer.devices 2
DEMO_FIT := $(TWO) --data.train.batches 45 # of each process: as many clips as configs/moga.yaml has in 90
export SAM2_BUILD_CUDA := 0

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-all test lint format bench bench-peers pretrain slurm-fit slurm-test slurm-jobs clean

help: ## list the targets
	@grep -E '^[a-zA-Z%_-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.installed ## make .venv and install the project with its tests' needs

$(VENV)/.installed: pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "no $(PYTHON): set PYTHON to a Python 3.10-3.13"; exit 2; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v <= (3, 13) else f"Python {v[0]}.{v[1]} is not supported: set PYTHON to a Python 3.10-3.13")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --upgrade pip setuptools wheel
	$(BIN)/python -m pip install -e '.[dev]'
	touch $@

demo: setup ## train MoGA on the embedded default, test it against SAM 2, write runs/demo/report/index.html
	rm -rf $(DEMO)
	$(RUN) fit --config configs/moga.yaml --run demo/fit_moga $(DEMO_FIT)
	$(RUN) test --model sam2 --run demo/sam2 $(TWO)
	$(RUN) test --model moga --run demo/moga --ckpt_path $(DEMO)/fit_moga/version_0/checkpoints/last.ckpt $(TWO)
	$(RUN) report $(DEMO) --out $(DEMO)/report --title "robustvos demo"

demo-all: demo ## the same with LayerNorm tuning and LoRA, trained alike
	for system in layernorm lora; do \
	  $(RUN) fit --config configs/moga.yaml --model $$system --run demo/fit_$$system $(DEMO_FIT) && \
	  $(RUN) test --model $$system --run demo/$$system $(TWO) \
	    --ckpt_path $(DEMO)/fit_$$system/version_0/checkpoints/last.ckpt || exit 1; \
	done
	$(RUN) report $(DEMO) --out $(DEMO)/report --title "robustvos demo"

test: setup lint ## lint, type-check, run all tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto

lint: setup ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup ## let ruff put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## speed and memory against peers, in one run; figures to benchmarks/results
	for file in benchmarks/bench_*.py; do $(BIN)/python $$file || exit 1; done

PEERS := .venv-peers
DAVIS2017 ?= git+https://github.com/davisvideochallenge/davis2017-evaluation

bench-peers: $(PEERS)/.installed ## the same beside albumentations, imgaug and the DAVIS toolkit, in an environment with old NumPy
	$(PEERS)/bin/python -m pytest -q tests/robustvos/metrics/test_metrics_contours.py
	for file in benchmarks/bench_*.py; do \
	  name=$$(basename $$file .py); \
	  $(PEERS)/bin/python $$file --out benchmarks/results/$${name#bench_}_peers.json || exit 1; \
	done

$(PEERS)/.installed: pyproject.toml benchmarks/peers.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v <= (3, 12) else f"NumPy 1 is not there for Python {v[0]}.{v[1]}: set PYTHON to a Python 3.10-3.12")'
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	echo '*' > $(PEERS)/.gitignore
	$(PEERS)/bin/python -m pip install --upgrade pip setuptools wheel
	$(PEERS)/bin/python -m pip install -r benchmarks/peers.txt -e .
	$(PEERS)/bin/python -m pip install --no-deps '$(DAVIS2017)' || \
	  echo "no davis2017-evaluation from $(DAVIS2017): its columns stay empty; DAVIS2017=FOLDER names a checkout"
	touch $@

pretrain: setup ## train the nano SAM 2 from scratch, in five stages (five hours on two cores)
	$(RUN) fit --config configs/pretrain_nano.yaml
	last=pretrain_nano; for stage in long iou clicks last; do \
	  $(RUN) fit --config configs/pretrain_nano_$$stage.yaml --sam2.checkpoint \
	    $$(ls -t runs/$$last/version_*/checkpoints/last.ckpt | head -1) || exit 1; \
	  last=pretrain_nano_$$stage; \
	done
	@echo "weights: cli.py export runs/pretrain_nano_last/version_N/checkpoints/last.ckpt --base --out nano.safetensors"

fit-%: setup ## train --model %
	$(RUN) fit --config configs/moga.yaml --model $* --run $*

test-%: setup ## test --model % on the embedded shapes
	$(RUN) test --model $* --run $*

SCALE ?= embedded

table%: setup ## a table of the RobustPVOS paper, 2 to 8: train and test its rows; SCALE=full with weights and data
	$(RUN) experiment table$* --scale $(SCALE)

experiment-%: setup ## the same for any file in configs/experiments, e.g. experiment-object_specific
	$(RUN) experiment $* --scale $(SCALE)

SYSTEMS ?= moga lora layernorm
ARGS ?=
SBATCH ?=
JOBS = runs/slurm/$(notdir $@)-$(STAMP).jobs
STAMP := $(shell date +%Y%m%d-%H%M%S)

slurm-fit: setup ## train SYSTEMS, one task of a SLURM array each; ARGS for cli.py, SBATCH for sbatch (GPUs, partition, ...)
	@mkdir -p runs/slurm
	@for system in $(SYSTEMS); do echo "fit --config configs/moga.yaml --model $$system --run $$system $(ARGS)"; done > $(JOBS)
	@$(MAKE) --no-print-directory slurm-jobs JOBS=$(JOBS)

slurm-test: setup ## test SYSTEMS alike, each with the newest checkpoint of its run, or as shipped
	@mkdir -p runs/slurm
	@for system in $(SYSTEMS); do \
	  newest=$$(ls -t runs/$$system/version_*/checkpoints/last.ckpt 2>/dev/null | head -1); \
	  echo "test --model $$system --run $$system $${newest:+--ckpt_path $$newest} $(ARGS)"; \
	done > $(JOBS)
	@$(MAKE) --no-print-directory slurm-jobs JOBS=$(JOBS)

slurm-jobs: ## submit JOBS, a file with the arguments of cli.py on each line, as a SLURM array
	@command -v sbatch >/dev/null || { echo "no sbatch: this is not a SLURM machine; 'make fit-NAME' and 'make test-NAME' run here"; exit 2; }
	@test -s "$(JOBS)" || { echo "no jobs in '$(JOBS)': make slurm-jobs JOBS=FILE, the arguments of cli.py on each line"; exit 2; }
	@mkdir -p runs/slurm
	sbatch --array=1-$$(grep -c '' $(JOBS)) $(SBATCH) slurm/jobs.sbatch $(JOBS)
	@echo "logs: runs/slurm/robustvos-*.log; squeue --me lists what runs"

clean: ## remove what runs have left
	rm -rf runs .pytest_cache .mypy_cache .ruff_cache build *.egg-info
