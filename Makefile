# Bare `make` prints the targets. Everything builds without cgo, so that one static binary results.
export CGO_ENABLED = 0
# The program is built without the paths of this machine. Tests are, too: else all would be compiled twice.
export GOFLAGS := -trimpath $(GOFLAGS)

GO      ?= go
BIN     := bin/millimetric
# Where the development run keeps its events.
DATA    ?= ./data

.DEFAULT_GOAL := help
.PHONY: help build sdk demo run check test s3 race fuzz crash release-proof stages measure bench bench-peers bench-trust agree golden release reproducible vuln scan clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

build: ## build bin/millimetric
	$(GO) build -buildvcs=auto -ldflags "-s -w" -o $(BIN) ./cmd/millimetric

sdk: ## make the browser SDK, script and npm package, out of its source
	$(GO) generate ./cmd/millimetric/sdk

demo: build ## import a web server log into a fresh server and ask it three questions
	sh cmd/millimetric/dist/demo.sh $(BIN)

run: build ## serve on 127.0.0.1:8787, keeping events in ./data
	$(BIN) serve --data $(DATA)

check: ## format, vet, house rules and short tests; under a minute, before each commit
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run gofmt -w on these"; exit 1; }
	$(GO) vet ./...
	$(GO) test -short ./...

# Several packages wait more than they work: three at a time keep two cores busy.
test: build ## everything that must hold; what CI runs
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run gofmt -w on these"; exit 1; }
	$(GO) vet ./...
	$(GO) test -vet=off -p 3 -timeout 18m ./...

s3: ## backups to a real server of S3's protocol, which is built for it
	MILLIMETRIC_S3=1 $(GO) test -count 1 -timeout 20m -v -run '^TestABucketIsATarget$$' ./engine/backup

race: ## all tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -short -tags pebblegozstd -timeout 18m ./...

FUZZTIME ?= 30s
fuzz: ## each fuzz target for FUZZTIME (default 30s)
	@for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; \
	done

POINTS ?= 20000
crash: ## cut the power at POINTS random moments (default 20000)
	MILLIMETRIC_CRASH_POINTS=$(POINTS) $(GO) test -count 1 -timeout 60m -run Crash -v ./engine/...

# Packages whose proofs to run, and a pattern of the proofs' names; all where they are empty.
PROOFS ?=
RUN    ?=
release-proof: ## all proofs with their full figures; hours; writes bench/PROOF.md, to be committed
	$(GO) build -buildvcs=auto -o bin/proof ./bench/proof
	bin/proof -run "$(RUN)" $(PROOFS)

stages: ## the corpus of questions through every stage, up to HTTP
	$(GO) test -count 1 -run 'Corpus|Stages' -v ./query/... ./cmd/millimetric

# The databases that the figures stand beside come as npm packages, and only for these targets.
PEERS := bench/peers/node/node_modules
$(PEERS): bench/peers/node/package.json
	cd bench/peers/node && npm install --no-package-lock --no-audit --no-fund
	@touch $(PEERS)

MEASURE := bin/measure
measure: build $(PEERS)
	$(GO) build -buildvcs=auto -o $(MEASURE) ./bench/measure

EVENTS ?= 10000000
bench: measure ## hot paths, load, then ingest, space, start and memory with EVENTS (default 10 million); writes bench/RESULTS.md
	$(GO) test -run '^$$' -bench . -benchmem ./ingest/... ./engine/... ./query/... ./index/...
	$(BIN) bench load --write bench/RESULTS.md
	$(MEASURE) engine -events $(EVENTS) -write bench/RESULTS.md

SIZES ?= 1000000,10000000
bench-peers: measure ## the questions beside ClickHouse and DuckDB, with SIZES events (default 1 and 10 million; 50000000 takes two hours), kept in the folder KEEP for a next time; writes bench/RESULTS.md
	$(MEASURE) peers -events $(SIZES) $(if $(KEEP),-keep "$(KEEP)") -write bench/RESULTS.md

bench-trust: build ## persons out, restores, and starts of a store with a backup, with EVENTS; writes bench/RESULTS.md
	$(GO) build -buildvcs=auto -o $(MEASURE) ./bench/measure
	$(MEASURE) trust -events $(EVENTS) -write bench/RESULTS.md

AGREE ?= 1000000
agree: measure ## hold many answers against ClickHouse's and DuckDB's, over AGREE events (default a million)
	$(MEASURE) agree -events $(AGREE)

# Tools of the gates, by version: the newest of tomorrow must not change what a release is.
SBOM_TOOL := github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
VULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

release: ## build for linux and macOS on amd64 and arm64 into release/, with checksums and a list of modules; SIGN_KEY signs
	GO="$(GO)" SBOM=$(SBOM_TOOL) sh cmd/millimetric/dist/release.sh release

reproducible: ## build the committed release twice, in two places, once from nothing, and compare; some minutes
	GO="$(GO)" sh cmd/millimetric/dist/reproducible.sh

vuln: ## look for known holes in what is called, where their database can be reached
	GO=$(GO) VULNCHECK=$(VULNCHECK) sh cmd/millimetric/dist/vuln.sh
	$(GO) mod verify

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOSEC       := github.com/securego/gosec/v2/cmd/gosec@v2.30.0
GITLEAKS    := github.com/zricethezav/gitleaks/v8@v8.30.1
# What is left out was read, and is meant: G115 numbers are bounded where they are read; G404 the chance of tests, waits
# and made-up histories; G407 no nonce is given to ciphers that draw their own; G402 the program asks itself for its
# health; G703 and G704 files and servers that the operator names.
GOSEC_OUT   := G115,G402,G404,G407,G703,G704
scan: ## look for secrets, for what is unused or can't be meant, and for what is dangerous; some minutes
	$(GO) run $(STATICCHECK) -checks "inherit,-ST1005,-ST1008,-SA4000" ./...
	$(GO) run $(GOSEC) -quiet -severity high -confidence medium -exclude=$(GOSEC_OUT) ./...
	$(GO) run $(GITLEAKS) dir . --no-banner

golden: ## rewrite expected outputs from what the code does now; read the diff before committing
	$(GO) test ./index ./query/querytest ./ingest ./ingest/classify ./cmd/millimetric ./cmd/millimetric/ask ./bench -rewrite

clean: ## remove what the build made
	rm -rf bin release
