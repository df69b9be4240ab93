# The same targets on a laptop and in CI. `make run ARGS="--listen 0.0.0.0:3000"` passes flags.

.PHONY: run test check rust js browser bench release package rust-client tools chromium
.NOTPARALLEL:

PAGE := public/node_modules/.package-lock.json
CLIENTS := js-client-tests/node_modules/.package-lock.json
NEIGHBOUR := js-client-tests/bench/node_modules/.package-lock.json
SCHEMATHESIS := js-client-tests/schemathesis/.venv/.installed
PYTHON_CLIENTS := examples/clients/python/.venv/.installed
BINARY := $(abspath $(or $(CARGO_TARGET_DIR),target))/release/roomcast
# What packages have in addition to `make release`. The Rust tests have it, too.
FEATURES := --features otlp
# The JavaScript tests run it. The server itself refuses the variable, as any that is no setting.
js browser bench: export ROOMCAST_BIN := $(BINARY)

# From a fresh clone to a running server.
run: release
	@exec $(BINARY) $(ARGS)

# Everything that must pass.
test: check rust js browser

check: $(PAGE) $(CLIENTS)
	cargo fmt --all --check
	cargo clippy --locked --all-targets $(FEATURES) -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps $(FEATURES)
	js-client-tests/node_modules/.bin/biome ci --error-on-warnings
	node js-client-tests/check-vocabulary.mjs

rust: $(PAGE) tools
	@if cargo nextest --version >/dev/null 2>&1; \
	then set -x; cargo nextest run --locked $(FEATURES); \
	else set -x; cargo test --locked $(FEATURES); fi

# The official clients against the release binary.
js: release $(CLIENTS) tools $(SCHEMATHESIS) $(PYTHON_CLIENTS) rust-client
	cd js-client-tests && npm test

browser: release $(CLIENTS) chromium
	cd js-client-tests && npm run browser

bench: $(PAGE) $(CLIENTS) $(NEIGHBOUR) tools
	ulimit -n 8192; cargo bench --locked --bench bench
	cargo build --locked --release --example bare-socketioxide
	# What these built has test features in it.
	cargo build --locked --release
	cd js-client-tests/bench && npm run compare

release: $(PAGE)
	cargo build --locked --release

# What is installed, in target/package: docs/operations.md. The commit is in `roomcast --version`.
COMMIT := git show --no-patch --abbrev=9
package: $(PAGE)
	CARGO_PROFILE_RELEASE_DEBUG=line-tables-only ROOMCAST_VERSION="$$(sed -n 's/^version = "\(.*\)"/\1/p;T;q' Cargo.toml) ($$($(COMMIT) --format=%h), \
	$$($(COMMIT) --format=%cs))" cargo build --locked --release $(FEATURES)
	SOURCE_DATE_EPOCH=$$($(COMMIT) --format=%ct) deploy/package.sh $(BINARY) $(dir $(BINARY))../package

# npm writes this file last.
%/node_modules/.package-lock.json: %/package-lock.json
	cd $* && npm ci --no-audit --no-fund
	@touch $@

# Packages of Python in a folder of their own: `requirements.txt` names all of them, as `pip freeze`
# prints them. Debian has the part of Python that makes the folder apart.
%/.venv/.installed: %/requirements.txt | tools
	$(call debian,$(shell python3 -c 'import ensurepip; print("python3")' || echo venv),python3-venv)
	python3 -m venv --clear $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	@touch $@

# A client of its own dependencies, of which one is OpenSSL.
rust-client:
	$(call debian,pkg-config,pkg-config)
	$(call debian,$(if $(wildcard /usr/include/openssl/ssl.h),true,openssl/ssl.h),libssl-dev)
	cargo build --locked --manifest-path examples/clients/rust/Cargo.toml --target-dir examples/clients/rust/target

# What the tests need besides Rust and Node.js, from Debian: $(call debian,program,package).
define debian
	@if command -v "$(1)" >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "The tests need $(1): apt-get install $(2)" >&2; \
		exit 1; \
	fi; \
	apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $(2)
endef

# Debian installs PostgreSQL by version, outside of PATH.
tools:
	$(call debian,openssl,openssl)
	$(call debian,sqlite3,sqlite3)
	$(call debian,prlimit,util-linux)
	$(call debian,redis-server,redis-server)
	$(call debian,/usr/sbin/nginx,nginx)
	$(call debian,/usr/sbin/haproxy,haproxy)
	$(call debian,/usr/bin/caddy,caddy)
	$(call debian,faketime,faketime)
	$(call debian,python3,python3)
	$(call debian,prometheus,prometheus)
	$(call debian,php,php-cli)
	$(call debian,$(or $(firstword $(wildcard /usr/lib/postgresql/*/bin/postgres)),postgres),postgresql)

chromium:
	$(call debian,$(or $(CHROMIUM),/usr/bin/chromium),chromium)
