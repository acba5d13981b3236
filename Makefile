# Everything that is built, checked and measured here. `make` alone lists it.
# Nothing has to be installed by hand but Go, make and a C compiler (for -race):
# the tools below are fetched at their pinned version into bin/tools.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# golangci-lint carries staticcheck v0.8.2, gofumpt v0.12.0 and gci v0.13.7, so
# that those three need no pin of their own.
GOLANGCI_VERSION    := v2.15.0
GOVULNCHECK_VERSION := v1.8.0
H2SPEC_VERSION      := v2.2.1

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
IMAGE    ?= upfront:$(VERSION)
KAMAL_IMAGE ?= kamal-proxy:$(VERSION)
PLATFORMS   ?= linux/amd64 linux/arm64
REGISTRY    ?= localhost:5000
# What Kamal takes where deploy.yml names no version, newest first: its MINIMUM_VERSION.
KAMAL_MINIMUM := v0.9.2 v0.9.0 v0.8.4 v0.8.2 v0.8.0 v0.7.0 v0.6.0
GOARCH   ?= $(shell go env GOARCH)
# Of Debian and Alpine, of Fedora, of macOS: the first that is there.
CA_BUNDLE ?= $(firstword $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem))
FUZZTIME ?= 30s
COUNT    ?= 1
BENCH    ?= .
ARGS     ?=
PKG      ?= ./...

LDFLAGS  := -s -w -X upfront/internal/version.Version=$(VERSION)
# Go finds it by itself only for proxyd; kamal-proxy is the same daemon.
PROFILE  := $(CURDIR)/cmd/proxyd/default.pgo
PROGRAMS := $(notdir $(wildcard cmd/*))
empty    :=
space    := $(empty) $(empty)
comma    := ,

TOOLS       := $(CURDIR)/bin/tools
GOLANGCI    := $(TOOLS)/golangci-lint-$(GOLANGCI_VERSION)
GOVULNCHECK := $(TOOLS)/govulncheck-$(GOVULNCHECK_VERSION)
H2SPEC      := $(TOOLS)/h2spec-$(H2SPEC_VERSION)

##@ Build

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z][a-z0-9-]*:.*## / { printf "  %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the programs, static, into bin/
	@mkdir -p bin
	@for p in $(PROGRAMS); do \
	  echo "bin/$$p $(VERSION)"; \
	  CGO_ENABLED=0 go build -trimpath -pgo '$(PROFILE)' -ldflags '$(LDFLAGS)' -o "bin/$$p" "./cmd/$$p"; \
	done

.PHONY: image
image: context ## Build the Docker image IMAGE=upfront:VERSION, without a network
	docker build --target upfront --build-arg 'TARGETARCH=$(GOARCH)' -t '$(IMAGE)' -f Dockerfile bin/image

.PHONY: kamal-image
kamal-image: context ## The same for Kamal, KAMAL_IMAGE=kamal-proxy:VERSION; its tag must be a version
	docker build --target kamal-proxy --build-arg 'TARGETARCH=$(GOARCH)' -t '$(KAMAL_IMAGE)' -f Dockerfile bin/image

.PHONY: images
images: ## Push both to REGISTRY for all PLATFORMS (docker buildx), kamal-proxy under Kamal's own tags too
	@for platform in $(PLATFORMS); do $(MAKE) --no-print-directory context GOARCH=$${platform#*/}; done
	docker buildx build --push --platform '$(subst $(space),$(comma),$(PLATFORMS))' --target upfront \
	  -t '$(REGISTRY)/upfront:$(VERSION)' -f Dockerfile bin/image
	docker buildx build --push --platform '$(subst $(space),$(comma),$(PLATFORMS))' --target kamal-proxy \
	  -t '$(REGISTRY)/kamal-proxy:$(VERSION)' $(KAMAL_MINIMUM:%=-t '$(REGISTRY)/kamal-proxy:%') -f Dockerfile bin/image

# The context of a build for GOARCH, beside those for others.
.PHONY: context
context:
	@test -r '$(CA_BUNDLE)' || { echo 'no CA bundle: set CA_BUNDLE=FILE' >&2; exit 1; }
	@rm -rf bin/image/root && mkdir -p bin/image/owned bin/image/$(GOARCH) bin/image/root/{tmp,etc/ssl/certs,usr/local/bin}
	@chmod 1777 bin/image/root/tmp
	@cp '$(CA_BUNDLE)' bin/image/root/etc/ssl/certs/ca-certificates.crt
	@ln -s kamal-proxy bin/image/root/usr/local/bin/proxyd
	@ln -s kamal-proxy bin/image/root/usr/local/bin/proxyctl
	CGO_ENABLED=0 GOOS=linux GOARCH=$(GOARCH) go build -trimpath -pgo '$(PROFILE)' -ldflags '$(LDFLAGS)' \
	  -o bin/image/$(GOARCH)/kamal-proxy ./cmd/kamal-proxy

##@ Check

.PHONY: check
check: tidy lint layers test test-tls e2e vuln ## Everything that must hold before a commit

.PHONY: test
test: ## Unit tests with the race detector, in random order
	go test -race -shuffle=on -count=$(COUNT) $$(go list $(PKG) | grep -v '/e2e\($$\|/\)')

.PHONY: test-tls
test-tls: ## The tests of package proxy once more, with clients that speak TLS
	UPFRONT_TEST_TLS=1 go test -race -shuffle=on ./proxy

.PHONY: e2e
e2e: ## Black-box tests of the built programs; Docker ones when it answers
	go test -count=1 -timeout 15m -v ./e2e/...

.PHONY: lint
lint: $(GOLANGCI) ## go vet, staticcheck, gofumpt and the rest of .golangci.yml
	go vet ./...
	$(GOLANGCI) run

.PHONY: layers
layers: ## Who imports whom, how large files and functions are, what the docs link to
	go test -count=1 .

.PHONY: tidy
tidy: ## Fail when go.mod or go.sum would change
	go mod tidy -diff
	go mod verify

.PHONY: vuln
vuln: $(GOVULNCHECK) ## Known vulnerabilities in what we call
	@./.ci/vuln $(GOVULNCHECK)

.PHONY: fmt
fmt: $(GOLANGCI) ## Format all Go files
	$(GOLANGCI) fmt

##@ Measure

.PHONY: cover
cover: ## Coverage of the unit tests, by package and in total
	go test -coverprofile=coverage.out $$(go list ./... | grep -v '/e2e\($$\|/\)')
	@go tool cover -func=coverage.out | tail -n 1

.PHONY: bench
bench: build ## Upfront beside nginx, HAProxy and Caddy, into bench/results (Linux, no Docker, 40 min); ARGS="--scenario get"
	go run ./bench $(ARGS)

.PHONY: bench-smoke
bench-smoke: build ## Every scenario of the bench once and in small, in a minute: whether it works, not how fast
	go run ./bench --smoke --results bin/bench-smoke $(ARGS)

.PHONY: microbench
microbench: ## Go benchmarks, PKG=./... BENCH=. COUNT=1
	go test -run '^$$' -bench '$(BENCH)' -benchmem -count=$(COUNT) $(PKG)

.PHONY: pgo
pgo: ## Renew cmd/proxyd/default.pgo, the profile that proxyd is built with
	go test -trimpath ./proxy -run '^$$' -bench '^BenchmarkServer$$' -benchtime 10s -cpuprofile cmd/proxyd/default.pgo -o /dev/null

.PHONY: fuzz
fuzz: ## Every fuzz target for FUZZTIME=30s
	@./.ci/fuzz '$(FUZZTIME)'

.PHONY: grpc
grpc: ## grpc-go's interop client against its interop server, through proxyd
	cd conformance/grpc && go test -race -count=1 -timeout 15m -v ./...

.PHONY: soak
soak: ## Streams, closing targets, aborts and slow clients in the promised sizes (Linux, slowhttptest, 15 min)
	@command -v slowhttptest >/dev/null || { echo 'no slowhttptest: apt-get install slowhttptest' >&2; exit 1; }
	UPFRONT_E2E_FULL=1 UPFRONT_E2E_RACE=0 go test -count=1 -timeout 40m -v -run '^TestSoak' ./e2e

# What TLS and HTTP/2 promise in sizes; each of them runs in small with e2e.
SOAK_TLS := TestTLS_(replaced|many)|TestHTTP2_(deployUnderLoad|abuse)

.PHONY: soak-tls
soak-tls: ## Certificates, deploys and abuse over TLS and HTTP/2 in the promised sizes (Linux, 20 min)
	UPFRONT_E2E_FULL=1 UPFRONT_E2E_RACE=0 go test -count=1 -timeout 60m -v -run '^($(SOAK_TLS))' ./e2e

.PHONY: h2spec
h2spec: $(H2SPEC) ## Conformance of HTTP/2, case by case, strictly
	UPFRONT_H2SPEC='$(H2SPEC)' UPFRONT_E2E_RACE=0 go test -count=1 -v -run '^TestH2spec' ./e2e

.PHONY: e2e-real
e2e-real: ## A real app in real containers, deployed 50 times under load (root, Docker, long); UPFRONT_E2E_BUFFERED=1 buffers
	UPFRONT_E2E_REAL=1 go test -count=1 -timeout 60m -v -run '^TestReal' ./e2e/...

##@ Tools

$(GOLANGCI):
	@echo "installing golangci-lint $(GOLANGCI_VERSION) into bin/tools"
	@mkdir -p $(TOOLS)
	@GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv $(TOOLS)/golangci-lint $@

$(GOVULNCHECK):
	@echo "installing govulncheck $(GOVULNCHECK_VERSION) into bin/tools"
	@mkdir -p $(TOOLS)
	@GOBIN=$(TOOLS) go install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)
	@mv $(TOOLS)/govulncheck $@

# Its module has no /v2 in its path, hence +incompatible.
$(H2SPEC):
	@echo "installing h2spec $(H2SPEC_VERSION) into bin/tools"
	@mkdir -p $(TOOLS)
	@GOBIN=$(TOOLS) go install github.com/summerwind/h2spec/cmd/h2spec@$(H2SPEC_VERSION)+incompatible
	@mv $(TOOLS)/h2spec $@

.PHONY: clean
clean: ## Remove what was built, tools included
	rm -rf bin coverage.out
