# Everything a reader of the README types. Only cargo, make and a C compiler are needed.

CARGO ?= cargo
# One profile for all: the dependencies are compiled once.
PROFILE := --release --locked
BINARY := target/release/han-exp
OUT ?= results
# Set to paper for the full protocols.
RUN_PROFILE ?= quick

.DEFAULT_GOAL := help
.PHONY: help build test check reproduce figures bench clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

build: ## Build the program
	$(CARGO) build $(PROFILE)

test: ## Run all tests
	$(CARGO) test $(PROFILE)

check: ## Formatting, lints and documentation, all without warnings
	$(CARGO) fmt --check
	$(CARGO) clippy $(PROFILE) --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(PROFILE) --no-deps

reproduce: build ## Run every experiment and write results/ (RUN_PROFILE=paper for the full protocols)
	$(BINARY) reproduce --profile $(RUN_PROFILE) --out $(OUT)

figures: build ## Redraw tables, figures and report from the CSV files in results/
	$(BINARY) report --out $(OUT)

bench: ## Time one training step of each network on one thread
	RAYON_NUM_THREADS=1 CANDLE_NUM_THREADS=1 $(CARGO) bench --locked

clean: ## Remove what was built and the runs; tables and figures stay
	$(CARGO) clean
	rm -rf $(OUT)/runs
