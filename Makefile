# The build of Muniment. `make test` is what CI runs, and the only thing that it runs.

GO        ?= go
GOLANGCI  := $(GO) tool -modfile=.ci/lint/go.mod golangci-lint
VULNCHECK := $(GO) tool -modfile=.ci/vuln/go.mod govulncheck
FUZZTIME  ?= 20s
BENCHTIME ?= 1s

.DEFAULT_GOAL := build
.PHONY: help build quick test fmt tidy vet lint vuln servers unit fuzz bench generate clean

help: ## what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## the two binaries, static, in bin/
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ ./cmd/...

quick: fmt ## the heart of every package in less than a minute, for while you work; no server, no race detector
	$(GO) test -short ./...

test: fmt tidy vet lint vuln unit ## everything that must be green; CI runs this and nothing else

fmt: ## fails when gofmt would change a file, and names it
	@files=$$(gofmt -l .); if [ -n "$$files" ]; then echo "gofmt -w is due for:"; echo "$$files"; exit 1; fi

tidy: ## fails when go.mod or go.sum is not what the imports ask for, or a module is not what go.sum says
	$(GO) mod tidy -diff
	$(GO) mod verify

vet: ## go vet
	$(GO) vet ./...

lint: ## golangci-lint, the version pinned in .ci/lint/go.mod
	$(GOLANGCI) run ./...

vuln: ## govulncheck, when GOVULNDB names a vulnerability database (a URL, file:// included)
	@if [ -n "$$GOVULNDB" ]; then $(VULNCHECK) -db "$$GOVULNDB" ./...; \
	else echo "govulncheck not run: it needs a vulnerability database; give its URL in GOVULNDB (https://vuln.go.dev is Go's)"; fi

servers: ## the real servers that tests run against, the versions pinned in .ci/servers; FORCE=1 builds those that are there, too
	@GO="$(GO)" FORCE="$(FORCE)" .ci/servers/build

# The crash rounds and the other long tests are part of it; -short leaves them out, and each says so. A test that lacks
# something of the machine (a server, strace) fails here, and is skipped by a plain `go test`.
unit: servers ## all tests, with the race detector, against real servers
	MUNIMENT_TESTS=complete $(GO) test -race -timeout 30m ./...
	$(GO) test -run 'EveryByte|TheLargestFile' ./anchor/evidence # whole; under the race detector they are samples

fuzz: ## each fuzz target for FUZZTIME
	@set -e; grep -rHoE '^func Fuzz[A-Za-z0-9_]*' --include='*_test.go' --exclude-dir=testdata . | sort | while IFS=: read -r file func; do \
		name=$${func#func }; echo "$$name in $$(dirname $$file)"; \
		$(GO) test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) "$$(dirname $$file)" < /dev/null; done

bench: ## Go's benchmarks, then the figures of a whole server; BENCHMARKS.md has the commands for each figure
	$(GO) test -run '^$$' -bench . -benchtime $(BENCHTIME) ./...
	$(GO) run ./cmd/muniment bench

generate: ## the API's models and client, from openapi/openapi.yaml
	$(GO) generate ./...

clean: ## removes bin/
	rm -rf bin
