# The front door. CMake does the building (CMakePresets.json); these targets only call it. `make help` lists them.

BUILD   ?= build
JOBS    ?= 2
SECONDS ?= 60
CPUS    := $(shell nproc)

# Ninja when it is there; CMake keeps the generator a folder was configured with.
ifneq ($(shell command -v ninja),)
export CMAKE_GENERATOR ?= Ninja
endif

.DEFAULT_GOAL := build
# Set-up comes before the build, also with make -j; CMake and CTest run in parallel themselves.
.NOTPARALLEL:
.PHONY: build setup run test bench bench-quick bench-profile bench-classifier torture asan-test tsan-test valgrind-test mutation-test fuzz coverage format clean help

# $(call compile,preset,folder). The build itself notices changed CMake files. With CI set, the folder is configured
# again, because warnings are errors then.
define compile
@if [ -n "$$CI" ] || [ ! -f $(2)/CMakeCache.txt ] || [ ! -f $(2)/build.ninja -a ! -f $(2)/Makefile ]; then \
    cmake --preset $(1) -B $(2); \
fi
@env -u MAKEFLAGS -u MAKELEVEL cmake --build $(2) --parallel $(CPUS)
endef

build:
	$(call compile,release,$(BUILD))

setup:
	@scripts/setup

run: setup build
	@KINDRED_BUILD=$(BUILD) scripts/run

test: setup build
	@ctest --test-dir $(BUILD) --output-on-failure -j$(JOBS)

bench bench-quick bench-profile bench-classifier: setup build
	@cmake --build $(BUILD) --target $@

torture: setup build
	@ctest --test-dir $(BUILD) --output-on-failure -C torture -L torture

asan-test tsan-test: %-test: setup
	$(call compile,$*,build-$*)
	@ctest --test-dir build-$* --output-on-failure -j$(JOBS)

fuzz: setup
	@command -v clang >/dev/null || { echo "make fuzz needs clang with libFuzzer: apt-get install clang libclang-rt-14-dev (Debian 12) or libclang-rt-19-dev (Debian 13)"; exit 1; }
	$(call compile,fuzz,build-fuzz)
	@while read -r fuzzer corpus; do \
	    [ -n "$$fuzzer" ] || continue; \
	    echo "$$fuzzer for $(SECONDS) s"; \
	    mkdir -p "build-fuzz/found/$$fuzzer" "build-fuzz/crashes/$$fuzzer" || exit 1; \
	    "build-fuzz/fuzzers/$$fuzzer" -max_total_time=$(SECONDS) -timeout=10 -print_final_stats=1 \
	        -artifact_prefix="build-fuzz/crashes/$$fuzzer/" "build-fuzz/found/$$fuzzer" "$$corpus" || exit 1; \
	done < build-fuzz/fuzzers.txt

# What is left out, and why, stands in gcovr.cfg. A count of an old build would be added to: they go first.
coverage: setup
	@command -v gcovr >/dev/null || { echo "make coverage needs gcovr: apt-get install gcovr"; exit 1; }
	$(call compile,coverage,build-coverage)
	@find build-coverage -name '*.gcda' -delete
	@ctest --test-dir build-coverage --output-on-failure -j$(JOBS)
	@gcovr --root . --json build-coverage/coverage.json build-coverage
	@scripts/coverage-summary build-coverage/coverage.json

# Unit tests under memcheck: all but those that only compute, for minutes there, and two that depend on what memory and time a server takes.
VALGRIND_SKIPS := unit.(connections|memory_cap|damaged_model|fold|rules|spelling|cohorts_speed|cohorts|phone|backup|profile|datetime|splitter|bitmap|attributes|rawlog_damage|rawlog_fault|population|checkpoint_fault|shortage|kernels|model|classify)$$
valgrind-test: setup
	@command -v valgrind >/dev/null || { echo "skipped: no valgrind here (apt-get install valgrind)"; exit 0; }; \
	 cmake --preset debug -B build-valgrind -DKINDRED_VALGRIND=ON >/dev/null && \
	 env -u MAKEFLAGS -u MAKELEVEL cmake --build build-valgrind --parallel $(CPUS) && \
	 ctest --test-dir build-valgrind --output-on-failure -j$(JOBS) -L unit -E '$(VALGRIND_SKIPS)'

# Half an hour: each deliberate bug of tests/mutation is built in, and its test must fail.
mutation-test: setup
	@python3 tests/mutation/run.py --folder build-mutation

format:
	@command -v clang-format >/dev/null || { echo "make format needs clang-format: apt-get install clang-format"; exit 1; }
	@git ls-files -z --cached --others --exclude-standard '*.c' '*.h' | xargs -0 -r clang-format -i

clean:
	@rm -rf $(BUILD) build-debug build-asan build-tsan build-fuzz build-coverage build-valgrind build-mutation

help:
	@echo 'Kindred. Two commands are enough on a fresh Debian 12 or 13:'
	@echo '  make run          install what is missing, build, start on http://127.0.0.1:8080 with a demo population'
	@echo '  make test         install what is missing, build, run every test'
	@echo ''
	@echo 'Building'
	@echo '  make              build $(BUILD)/kindred'
	@echo '  make setup        install the compiler and libraries that are missing (scripts/setup --check only looks)'
	@echo '  make clean        remove what was built; your data folder stays'
	@echo ''
	@echo 'Measuring and trying to break it'
	@echo '  make bench        all benchmarks; make bench-quick is the short form'
	@echo '  make bench-profile     where the CPU time goes, by module (perf)'
	@echo '  make bench-classifier  what the trained model knows: docs/classifier.md'
	@echo '  make torture      the long tests that make test leaves out'
	@echo '  make asan-test    the tests with AddressSanitizer and UndefinedBehaviorSanitizer'
	@echo '  make tsan-test    the tests with ThreadSanitizer'
	@echo '  make fuzz         each fuzzer for SECONDS=60; what breaks is kept in build-fuzz/crashes'
	@echo '  make valgrind-test  the unit tests under memcheck'
	@echo '  make mutation-test  deliberate bugs, one at a time: does the test that must notice it fail?'
	@echo '  make coverage     which lines and branches the tests reach, per folder and file'
	@echo ''
	@echo 'Changing it'
	@echo '  make format       clang-format over all C files'
	@echo ''
	@echo 'Settings: BUILD=folder JOBS=tests-at-once; with CI=1 warnings are errors; KINDRED_DATA=folder for make run.'
