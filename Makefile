# Linli. The two commands that always work on a fresh machine: `make demo` and `make test`.
# Needs: Rust by rustup (rust-toolchain.toml picks the version), Node 20 or newer, a C compiler;
# for `make test` also JDK 17 and Maven. What else is needed, these targets fetch and check by hash.

SHELL := bash
.DEFAULT_GOAL := help
CARGO ?= cargo
DEMO_ARGS ?=

.PHONY: help demo build release web chdb servers test test-rust test-web lint fmt clean-cache

help: ## Show the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

demo: build chdb ## Build and run everything embedded on the simulated shop
	target/debug/linli demo $(DEMO_ARGS)

build: web ## Build the program with the page in it
	$(CARGO) build --locked --workspace --bin linli

release: web ## Build the program optimised
	$(CARGO) build --locked --release --workspace --bin linli

web: dashboards/web/dist/index.html ## Build the page

dashboards/web/dist/index.html: dashboards/web/package-lock.json $(shell find dashboards/web/src dashboards/web/index.html dashboards/web/vite.config.ts 2>/dev/null)
	cd dashboards/web && npm ci --no-audit --no-fund && npm run build

chdb: ## Fetch the warehouse engine into the cache
	tests/stack/fetch.sh chdb

servers: ## Fetch the real servers that the tests run against into the cache
	tests/stack/fetch.sh all

test: servers test-web test-rust ## Run every test, against real servers

test-rust: build chdb
	cd tests/browser && npm ci --no-audit --no-fund
	$(CARGO) test --locked --workspace

test-web: web
	cd dashboards/web && npm run typecheck && npm test
	cd ingest/collect/tracker && npm ci --no-audit --no-fund && npm test

lint: ## Check format and lints
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

fmt: ## Format
	$(CARGO) fmt --all
