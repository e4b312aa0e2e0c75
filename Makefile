# Everything a reader of the README types. Only cargo, make and a C compiler are needed.

CARGO ?= cargo
# cuda: the program and its tests for a GPU. That needs nvcc.
FEATURES ?=
# One profile for all: the dependencies are compiled once.
PROFILE := --release --locked
BUILT := $(PROFILE) $(if $(FEATURES),--features $(FEATURES))
BINARY := "$(or $(CARGO_TARGET_DIR),target)/release/han-exp"
# Another results directory than results/, or results/smoke/ for smoke runs.
OUT ?=
# The results that README.md and METHODOLOGY.md show.
PUBLISHED ?= results/published
ATTACKED := hannet,fcnet,fcnet-small,fcnet-bounded,fcnet-small-bounded,hannet-adam,fcnet-adam,certified
PYTHON ?= python3
# smoke, quick or paper for all experiments. Not set, it is quick, and paper for the mixer where a GPU is used.
RUN_PROFILE ?=
# More flags for reproduce, such as --data-dir DIR.
FLAGS ?=
# Seconds for each reader.
FUZZ_SECONDS ?= 60
READERS := $(notdir $(wildcard fuzz/seeds/*))
# Where test-browser keeps its runs and screenshots.
BROWSER := target/browser
# Where test-slurm keeps the cluster and its runs.
SLURM := target/slurm
# CUDA's compiler from PyPI, for machines without one.
CUDA_VENV := target/cuda
CUDA_PACKAGES := nvidia-cuda-nvcc==13.0.* nvidia-cuda-runtime==13.0.* nvidia-cuda-crt==13.0.* nvidia-nvvm==13.0.* nvidia-cuda-cccl \
  nvidia-cuda-nvrtc==13.0.*

# The library without the program, itself included.
MOST_CRATES := 150

.DEFAULT_GOAL := help
.PHONY: help build test test-browser test-kills test-slurm test-cuda check check-cuda reproduce demo publish budget readme figures bench bench-peers bench-cuda fuzz clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

build: ## Build the program
	$(CARGO) build $(BUILT)

test: ## Run all tests
	$(CARGO) test $(BUILT)

test-browser: build ## Open report.html of smoke runs in headless Chromium (Debian: apt-get install chromium); needs python3
	$(BINARY) reproduce --profile smoke --offline --quiet --out $(BROWSER)/results
	python3 tests/browser/check.py $(BROWSER)/results/report.html $(BROWSER)

test-kills: build ## Kill four sorts of runs 20 times each at random moments, and compare every file; needs python3
	python3 tests/kill/kill.py $(BINARY)

test-slurm: build ## Submit plans to a real Slurm on this machine; needs root, python3, Debian's slurmctld slurmd slurm-client munge
	rm -rf $(SLURM)
	python3 tests/slurm/check.py $(BINARY) $(SLURM)

test-cuda: ## Compare the networks on a GPU with the CPU, train and resume, and time steps beside PyTorch; needs a GPU, nvcc, python3
	$(CARGO) test $(PROFILE) --features cuda --test cuda -- --nocapture
	CARGO="$(CARGO)" $(PYTHON) benches/peers.py --cuda

check: ## Formatting, lints and documentation, all without warnings; with the program and without
	$(CARGO) fmt --check
	$(CARGO) clippy $(PROFILE) --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(PROFILE) --no-deps
	$(CARGO) clippy $(PROFILE) --no-default-features --features program -- -D warnings
	$(CARGO) clippy $(PROFILE) --no-default-features --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(PROFILE) --no-default-features --no-deps
	@crates=$$($(CARGO) tree --locked --no-default-features --edges normal,build --prefix none --no-dedupe | sort -u | wc -l) && \
	echo "the library alone is $$crates crates" && test $$crates -le $(MOST_CRATES)

check-cuda: $(CUDA_VENV)/ready ## Type check and lints of the CUDA build, its kernels compiled; needs no GPU, fetches nvcc and nvrtc from PyPI
	python3 tests/nvrtc/check.py $(CUDA_VENV)/lib/python*/site-packages/nvidia/cu13
	home=$$(cd $(CUDA_VENV)/lib/python*/site-packages/nvidia/cu13 && pwd) && \
	export CUDA_HOME="$$home" PATH="$$home/bin:$$PATH" CUDA_COMPUTE_CAP=80 && \
	$(CARGO) check $(PROFILE) --features cuda && \
	$(CARGO) clippy $(PROFILE) --features cuda --all-targets -- -D warnings

$(CUDA_VENV)/ready:
	python3 -m venv $(CUDA_VENV)
	$(CUDA_VENV)/bin/pip install --quiet $(CUDA_PACKAGES)
	touch $@

reproduce: build ## Run every experiment but mixer-budget, into results/ (RUN_PROFILE=paper: the full protocols; smoke: results/smoke/)
	$(BINARY) reproduce $(if $(RUN_PROFILE),--profile $(RUN_PROFILE)) $(if $(OUT),--out "$(OUT)") $(FLAGS)

demo: build ## Train one HanNet against one FCNet on the checkerboard, in seconds: results/demo/figures/demo-decision-maps.png
	$(BINARY) checkerboard --experiment experiments/demo.toml --recipe tuned --out results/demo
	@echo "look at results/demo/figures/demo-decision-maps.png"

publish: build ## Run what the repository shows, from a clean commit, into results/published (TABLES=DIR: the five regression tables)
	@test -z "$$(git status --porcelain -- . ':!results')" || { echo "publish: commit or stash your changes first"; exit 1; }
	@test -z "$(filter /% ~%,$(TABLES))" || { echo "publish: pages show the name of TABLES; use a relative one, such as a link DIR"; exit 1; }
	@test -z "$(TABLES)" || test -f "$(TABLES)/bikesharing.csv" || { echo "publish: $(TABLES) has no bikesharing.csv"; exit 1; }
	$(BINARY) checkerboard --out "$(PUBLISHED)"
	$(BINARY) gradients --out "$(PUBLISHED)"
	$(BINARY) regression $(if $(TABLES),--data-dir "$(TABLES)") --out "$(PUBLISHED)"
	$(BINARY) mnist-attack --models $(ATTACKED) --out "$(PUBLISHED)"
	$(BINARY) report --out "$(PUBLISHED)"

budget: build ## Go on with the curve of mixer-budget, about a day on two cores, into results/published
	$(BINARY) mixer-budget --profile paper --epochs 10,30,100 --augment basic --out "$(PUBLISHED)"
	$(BINARY) mixer-budget --profile paper --out "$(PUBLISHED)"

readme: build ## Write the figures of the published CSV files into README.md and METHODOLOGY.md
	$(BINARY) report --out "$(PUBLISHED)" --splice README.md,METHODOLOGY.md

figures: build ## Redraw tables, figures and reports from the CSV files in results/
	$(BINARY) report $(if $(OUT),--out "$(OUT)")

bench: ## Time one training step of each network on one thread
	RAYON_NUM_THREADS=1 CANDLE_NUM_THREADS=1 $(CARGO) bench --locked

bench-peers: ## Time training steps beside PyTorch and JAX, three rounds: peers.csv (PYTHON names an interpreter that has them)
	CARGO="$(CARGO)" $(PYTHON) benches/peers.py "$(PUBLISHED)/peers.csv"

bench-cuda: ## Time training steps on a GPU, beside PyTorch's where it is: peers-cuda.csv
	CARGO="$(CARGO)" $(PYTHON) benches/peers.py --cuda "$(PUBLISHED)/peers-cuda.csv"

fuzz: ## Fuzz every reader of files, FUZZ_SECONDS for each (60); needs a C++ compiler, installs cargo-fuzz
	@$(CARGO) fuzz --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-fuzz@0.13.2
	@for reader in $(READERS); do \
	  mkdir -p fuzz/corpus/$$reader fuzz/artifacts/$$reader && \
	  READER=$$reader $(CARGO) fuzz run --sanitizer none reader fuzz/corpus/$$reader fuzz/seeds/$$reader -- \
	    -max_total_time=$(FUZZ_SECONDS) -timeout=25 -rss_limit_mb=2048 -max_len=65536 \
	    -artifact_prefix=fuzz/artifacts/$$reader/ || exit 1; \
	done

clean: ## Remove what was built and the runs; tables and figures stay
	$(CARGO) clean
	rm -rf "$(or $(OUT),results)/runs" "$(or $(OUT),results)/smoke"
