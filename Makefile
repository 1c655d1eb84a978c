# Names for what is done often. Each target installs what it needs on a Debian machine with Rust; see scripts/setup.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test lint mutants bench fuzz advisories

export CARGO_TARGET_DIR ?= $(CURDIR)/target
export PATH := $(CARGO_TARGET_DIR)/tools/bin:$(PATH)
FUZZ_SECONDS ?= 60
ABRUPT_SECONDS ?= 60

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

run: ## build and serve on port 8000 with a demo user
	@scripts/setup compiler
	cargo build --package lychgate
	@echo "Next, in two more terminals:  target/debug/lychgate connect ws://localhost:8000/ws --user user"
	@echo "The password is: password. Type {\"type\":\"hello\"} into one, and it arrives in both. Ctrl-C ends each."
	@exec $(CARGO_TARGET_DIR)/debug/lychgate serve --dev --config examples/ship.toml

test: ## run every test: Rust's own, then other people's clients against the real program
	@scripts/setup compiler interop servers
	LYCHGATE_ABRUPT_SECONDS=$(ABRUPT_SECONDS) cargo test --workspace --no-fail-fast
	cargo build --workspace
	.venv/bin/pytest tests/interop

lint: ## check format, clippy, tidy, dependencies and documentation
	@scripts/setup compiler deny
	cargo fmt --all -- --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo xtask tidy
	scripts/mutants --check
	cargo deny check bans licenses sources
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

mutants: ## take checks out one at a time, and see a test fail for each (MUTANTS="NAME …" for some)
	@scripts/setup compiler
	scripts/mutants $(MUTANTS)

bench: ## measure beside the limit and the peers, and write bench/RESULTS.md (BENCH=--quick for a try)
	@scripts/setup bench
	cargo build --release --package lychgate
	cargo build --release --manifest-path bench/Cargo.toml
	bench/run $(BENCH)

fuzz: ## fuzz each target for FUZZ_SECONDS (60)
	@scripts/setup fuzz
	@cd fuzz && for target in $$(cargo fuzz list); do \
	  echo "fuzzing $$target for $(FUZZ_SECONDS) s"; \
	  RUSTC_BOOTSTRAP=1 cargo fuzz run -s none "$$target" -- -max_total_time=$(FUZZ_SECONDS); \
	done

advisories: ## check the dependencies against published advisories (needs the network)
	@scripts/setup deny
	cargo deny check advisories
