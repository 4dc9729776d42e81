# Every target is one line of help; the work itself is TypeScript under test/ and src/.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
JEST := node --experimental-vm-modules --disable-warning=ExperimentalWarning node_modules/jest/bin/jest.js
# `rest` waits for minutes and needs no processor meanwhile.
TIERS ?= unit integration faults+rest e2e conformance browser

# Set by the caller: NAME (cluster), NODES, GPUS, YES=1, and CLUSTER=current with IMAGE, VLLM_SIM_IMAGE, HUB_SIM_IMAGE.
# They reach the scripts as they are.
export NAME NODES GPUS YES CLUSTER IMAGE VLLM_SIM_IMAGE HUB_SIM_IMAGE
export TRACE SCALE COLD TARGETS SEEDS WAVES JOBS DURATION

# Not `npm ci`: it refuses a lock file without the linter's bindings for other systems, which not every registry has.
# What is installed is what the lock file says, checked by its integrity. Nothing to standard output: `make env` is
# evaluated by a shell.
node_modules/.installed: package.json package-lock.json
	npm install --no-save --ignore-scripts --no-audit --no-fund >&2
	@touch $@

.PHONY: help
help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | awk -F '\t' '{printf "  make %-18s %s\n", $$1, $$2}'

.PHONY: demo demo-down env cluster cluster-down
demo: node_modules/.installed ## a local cluster with Infer, an example deployment and a chat completion; stays up
	@node test/demo/main.ts up

demo-down: node_modules/.installed ## remove the cluster of `make demo`; installed packages and the cache stay
	@node test/demo/main.ts down

env: node_modules/.installed ## shell exports for the running cluster: eval "$$(make -s env)"
	@node test/demo/main.ts env

cluster: node_modules/.installed ## the local cluster alone (NODES=2 GPUS=64 NAME=...)
	@node test/cluster/main.ts up

cluster-down: node_modules/.installed ## remove the local cluster (NAME=...)
	@node test/cluster/main.ts down

.PHONY: test test-unit test-integration test-faults test-e2e test-conformance test-browser e2e-vllm
test: node_modules/.installed ## every tier, with the time of each; ends in "N passed, N failed"
	@node test/run-tiers.ts $(TIERS)

test-unit: node_modules/.installed ## pure logic and the simulators, seconds
	@$(JEST) --selectProjects unit

test-integration: node_modules/.installed ## against a real kube-apiserver and etcd
	@$(JEST) --selectProjects integration --runInBand
	@$(JEST) --selectProjects rest --runInBand

test-faults: node_modules/.installed ## the fast subset of the fault campaign
	@$(JEST) --selectProjects faults --runInBand

test-e2e: node_modules/.installed ## on the local cluster with a real kubelet
	@$(JEST) --selectProjects e2e --runInBand

test-conformance: node_modules/.installed ## the official openai clients for Python and Node against the local cluster
	@$(JEST) --selectProjects conformance --runInBand

test-browser: node_modules/.installed ## the web page in Chromium; screenshots in test/browser/out
	@$(JEST) --selectProjects browser --runInBand

e2e-vllm: node_modules/.installed ## the main path with real vLLM on CPU and a tiny generated model
	@node test/e2e-vllm/main.ts

.PHONY: bench-gateway bench-autoscaler bench-scaling-e2e bench-batch bench-page
bench-gateway: node_modules/.installed ## the gateway beside a bare proxy and nginx: rates, latencies, ratios
	@node bench/gateway/main.ts

bench-autoscaler: node_modules/.installed ## scalers on simulated replicas (TRACE=FILE SCALE= COLD= TARGETS= SEEDS= WAVES= JOBS=)
	@node bench/autoscaler/main.ts

bench-batch: node_modules/.installed ## a large batch beside the same requests sent directly (LINES= BYTES= SEATS=)
	@node build.ts && node bench/batch/main.ts

bench-page: node_modules/.installed ## the web page with 500 deployments and 60 updates a second for ten minutes: memory
	@PAGE_SECONDS=600 $(JEST) --selectProjects browser --testPathPatterns browser/many

bench-scaling-e2e: node_modules/.installed ## the scaler on a local cluster beside its simulation (TRACE=FILE SCALE= DURATION=)
	@node bench/scaling-e2e/main.ts

.PHONY: build image lint generate verify format
build: node_modules/.installed ## bundles of every process into dist/
	@node build.ts

image: node_modules/.installed ## the image, with Docker or without
	@node test/cluster/image.ts

lint: node_modules/.installed ## types, type-aware lint, formatting
	@tsc
	@tsc --project src/dashboard
	@oxlint --type-aware --deny-warnings
	@prettier --check --log-level warn .

format: node_modules/.installed ## write the formatting that lint checks
	@prettier --write --log-level warn .

generate: node_modules/.installed ## types and reference documents from crds/
	@node src/api/generate.ts

verify: node_modules/.installed ## fail where generated files differ from crds/
	@node src/api/generate.ts --check
