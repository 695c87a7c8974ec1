# Slipway: `make run` sets up, builds, starts the engine and runs a first container; `make help` lists the rest.

DATA_ROOT ?= /var/lib/slipway
RUN_ROOT  ?= /run/slipway
SOCKET    ?= /run/slipway.sock
INSTANCE  ?= slipway
PORT      ?= 8080
export DATA_ROOT RUN_ROOT SOCKET INSTANCE PORT

NODE := node_modules/.bin/node
BIN  := node_modules/.bin
SOURCES := $(shell find src -name '*.ts' ! -name '*.test.ts' 2>/dev/null)
SHIM_SOURCES := $(shell find native/shim -maxdepth 1 \( -name '*.c' -o -name '*.h' -o -name Makefile \) 2>/dev/null)

.PHONY: help setup build run stop clean test check bench test-vm deb types lint format rooms generated distclean
.DELETE_ON_ERROR:

help:
	@echo 'make run      set up, build, start slipwayd, run a web server container and fetch its page'
	@echo 'make stop     end the daemon; containers go on'
	@echo 'make clean    remove everything the engine made on this host'
	@echo 'make check    types, lint, format, rooms, unit tests and contracts (no root, under a minute)'
	@echo 'make test     all tests (root)      make test-vm  the suite on Debian'\''s kernel in a virtual machine'
	@echo 'make bench    benchmarks beside dockerd      make deb  a Debian package in dist/'
	@echo 'DATA_ROOT, RUN_ROOT, SOCKET, INSTANCE and PORT can be given.'

setup:
	@scripts/setup.sh

# --- build -----------------------------------------------------------------------------------------------------

build: setup
	@$(MAKE) --no-print-directory dist/.built

dist/.built: dist/lib/.built dist/lib/no-systemd/libsystemd.so.0 dist/lib/console-size.so dist/bin/slipway dist/bin/slipway-shim dist/bin/slipwayd dist/bin/slipway-net
	@touch $@

dist/lib/.built: $(SOURCES) scripts/build-lib.ts packaging/lib/slipwayd.js package-lock.json
	$(NODE) scripts/build-lib.ts dist/lib
	@touch $@

dist/lib/no-systemd/libsystemd.so.0: $(wildcard native/no-systemd/*)
	$(MAKE) --no-print-directory -C native/no-systemd OUT=$(CURDIR)/$@

dist/lib/console-size.so: $(wildcard native/console-size/*)
	$(MAKE) --no-print-directory -C native/console-size OUT=$(CURDIR)/$@

dist/bin/slipwayd dist/bin/slipway-net: dist/bin/%: packaging/bin/%
	@mkdir -p dist/bin
	install -m 755 $< $@.new && mv $@.new $@

dist/bin/slipway: $(SOURCES) $(wildcard scripts/build-cli.*) package-lock.json
	@mkdir -p dist/bin
	$(NODE) scripts/build-cli.ts

dist/bin/slipway-shim: $(SHIM_SOURCES)
	@mkdir -p dist/bin
	$(MAKE) --no-print-directory -C native/shim OUT=$(CURDIR)/$@

# --- use -------------------------------------------------------------------------------------------------------

run: build
	@$(NODE) scripts/run.ts

stop:
	@$(NODE) scripts/stop.ts

clean:
	@if [ -x $(NODE) ]; then $(NODE) scripts/clean.ts; else echo 'clean: nothing is set up here'; fi
	@rm -rf dist

distclean: clean
	@rm -rf node_modules .cache

deb: build
	@$(NODE) scripts/build-deb.ts

# --- tests -----------------------------------------------------------------------------------------------------

types:
	$(BIN)/tsc

lint:
	$(BIN)/oxlint --type-aware --deny-warnings src scripts tests bench

format:
	$(BIN)/oxfmt --check src scripts tests bench

rooms:
	$(NODE) scripts/check-rooms.ts

generated:
	$(NODE) scripts/generate-api.ts --check

check:
	@$(NODE) scripts/run-tests.ts static unit

test: build
	@$(NODE) scripts/run-tests.ts static unit root vm

test-vm: build
	@$(NODE) scripts/run-tests.ts vm

bench: build
	@$(NODE) bench/main.ts
