# Thin: CMake builds, the scripts do. `make SETUP=:` leaves the packages of this machine alone.
SETUP = tools/setup
PREFIX = /usr/local
BUILD = build/release

.PHONY: all run test test-long bench lint format install clean help

all: ## build the library and the examples (build/release)
	@$(SETUP) run
	@cmake --preset release --log-level=WARNING -DJUGGLE_TESTS=OFF >/dev/null
	@cmake --build --preset release

run: all ## build, then watch the examples at work: the tour
	@tour/run $(BUILD)

test: ## every test on both pollers, under the sanitizers, against real programs
	@$(SETUP) test
	@tests/run

test-long: ## the same with longer sweeps
	@$(SETUP) test
	@JUGGLE_LONG=1 tests/run

bench: ## measure; QUICK=1 for three minutes, ONLY=echo for one benchmark; results in build/bench
	@$(SETUP) bench
	@bench/run --build-dir $(BUILD) $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

lint: ## check the formatting, look for bugs with clang-tidy
	@$(SETUP) lint
	@tools/lint

format: ## format the sources
	@$(SETUP) lint
	@tools/lint --format

install: all ## install to PREFIX (default /usr/local), below DESTDIR
	@cmake --install $(BUILD) --prefix $(PREFIX)
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig

clean: ## remove all that was built
	@rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12
