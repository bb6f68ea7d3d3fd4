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
.PHONY: help setup demo demo-all test test-lowest golden lint format docs bench bench-peers pretrain pretrain-small realvas slurm-realvas slurm-fit slurm-test slurm-jobs clean

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
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --durations=30

LOWEST := .venv-lowest

test-lowest: $(LOWEST)/.installed ## the fast tests, and a fit and a test, on the lowest versions that pyproject.toml allows
	OMP_NUM_THREADS=1 $(LOWEST)/bin/python -m pytest -q -m fast
	$(LOWEST)/bin/python cli.py inspect --model moga
	$(LOWEST)/bin/python cli.py fit --config configs/moga.yaml --run lowest --trainer.max_steps 2 --trainer.limit_val_batches 0
	$(LOWEST)/bin/python cli.py test --run lowest --data.test.limit 1 --data.test.conditions '[clean]'

$(LOWEST)/.installed: pyproject.toml tests/lowest.py
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v <= (3, 12) else f"the lowest versions are not there for Python {v[0]}.{v[1]}: set PYTHON to a Python 3.10-3.12")'
	test -x $(LOWEST)/bin/python || $(PYTHON) -m venv $(LOWEST)
	echo '*' > $(LOWEST)/.gitignore
	$(LOWEST)/bin/python tests/lowest.py > $(LOWEST)/lowest.txt
	$(LOWEST)/bin/python -m pip install --upgrade pip 'setuptools<81' wheel
	$(LOWEST)/bin/python -m pip install -c $(LOWEST)/lowest.txt torch torchvision
	$(LOWEST)/bin/python -m pip install -c $(LOWEST)/lowest.txt --no-build-isolation -e '.[coco]' pytest pytest-timeout pytest-xdist
	touch $@

golden: setup ## accept changed figures: write tests/golden/figures anew; then review and commit the difference
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q tests/golden --renew

lint: setup ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup ## let ruff put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup ## write the documentation site to site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

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

DATA ?=
TRUNK ?=

pretrain-small: setup ## train the base small on the stills and videos in DATA (days on two cores); TRUNK=FILE: trunk weights on disk
	@test -n "$(DATA)" || { echo "make pretrain-small DATA=FOLDER: configs/data/pasted.yaml says what lies in it"; exit 2; }
	$(RUN) fit --config configs/pretrain/small.yaml --data.root $(DATA) $(if $(TRUNK),--sam2.trunk_weights $(TRUNK))
	last=pretrain_small; for stage in clips long things prompts trunk; do \
	  $(RUN) fit --config configs/pretrain/small_$$stage.yaml --data.root $(DATA) --sam2.checkpoint \
	    $$(ls -t runs/$$last/version_*/checkpoints/last.ckpt | head -1) || exit 1; \
	  last=pretrain_small_$$stage; \
	done
	@echo "weights: cli.py export runs/pretrain_small_trunk/version_N/checkpoints/last.ckpt --base --out small.safetensors"

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

VIDEOS ?=
PROMPTS ?=
OUT ?= runs/realvas
SHARDS ?= 4
STAGES := ingest discover motion align filter combine propagate composite contain camera

realvas: setup ## make amodal clips of VIDEOS, and of PROMPTS for containers, in OUT; ARGS for cli.py realvas run
	$(RUN) realvas run $(VIDEOS) $(PROMPTS:%=--prompts %) --out $(OUT) $(ARGS)

slurm-realvas: setup ## the same, one SLURM array of SHARDS tasks a stage, each stage after the one before; ARGS for every stage
	@command -v sbatch >/dev/null || { echo "no sbatch: this is not a SLURM machine; 'make realvas' runs here"; exit 2; }
	@mkdir -p runs/slurm
	$(RUN) realvas add $(VIDEOS) $(PROMPTS:%=--prompts %) --out $(OUT)
	@after=; for stage in $(STAGES); do \
	  jobs=runs/slurm/realvas-$$stage-$(STAMP).jobs; \
	  for shard in $$(seq 0 $$(($(SHARDS) - 1))); do echo "realvas $$stage --out $(OUT) --shard $$shard/$(SHARDS) $(ARGS)"; done > $$jobs; \
	  after=$$(sbatch --parsable --array=1-$(SHARDS) $${after:+--dependency=afterok:$$after} $(SBATCH) slurm/jobs.sbatch $$jobs) || exit 1; \
	  echo "$$stage: job $$after"; \
	done
	@echo "then: $(RUN) realvas sheet --out $(OUT); a task that was killed can be submitted again: it goes on where it was"

slurm-jobs: ## submit JOBS, a file with the arguments of cli.py on each line, as a SLURM array
	@command -v sbatch >/dev/null || { echo "no sbatch: this is not a SLURM machine; 'make fit-NAME' and 'make test-NAME' run here"; exit 2; }
	@test -s "$(JOBS)" || { echo "no jobs in '$(JOBS)': make slurm-jobs JOBS=FILE, the arguments of cli.py on each line"; exit 2; }
	@mkdir -p runs/slurm
	sbatch --array=1-$$(grep -c '' $(JOBS)) $(SBATCH) slurm/jobs.sbatch $(JOBS)
	@echo "logs: runs/slurm/robustvos-*.log; squeue --me lists what runs"

clean: ## remove what runs have left
	rm -rf runs site .pytest_cache .mypy_cache .ruff_cache build *.egg-info
