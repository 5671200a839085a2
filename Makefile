# make demo    the whole shop on this machine, with a drop that opens in a minute; Ctrl-C ends it
# make test    every test, on servers of its own (ARGS="-k line" for some)
# make unit    the tests that need no more than Postgres and Redis
# make check   style, types, imports, templates, older browsers, migrations, requirements
# make faults  a drop under each fault: broker, gate, web, Postgres stopped, … (FAULT=gate for one); 15 minutes
# make messages  collect the texts that shoppers read for translators (NEW=de begins a language)
# Needs Python 3.11 or newer and make. Ports are settings: PORT_EDGE=8100 make demo

.PHONY: demo demo-reset test unit check faults messages verify verify-ops lock
REQUIREMENTS = deploy/requirements
UV = UV_SYSTEM_CERTS=1 UV_NO_PROGRESS=1 .venv/bin/uv

demo: .venv/synced
	@.venv/bin/python -m deploy.local demo

demo-reset: .venv/synced
	@.venv/bin/python -m deploy.local reset

test: .venv/synced
	@.venv/bin/python -m deploy.local test --lane unit --lane servers --lane journeys -- $(ARGS)

unit: .venv/synced
	@.venv/bin/python -m deploy.local test --lane unit -- $(ARGS)

check: .venv/synced
	@.venv/bin/python -m deploy.checks

faults: .venv/synced
	@.venv/bin/python -m deploy.local.faults $(FAULT)

messages: .venv/synced
	@.venv/bin/python -m deploy.messages $(if $(NEW),--new $(NEW))

# Asks Stripe's own test mode what the sandbox is asked in `make test`: STRIPE_SECRET_KEY=sk_test_… make verify
CONTRACT = tests/deploy/stripe_sandbox/contract
verify: .venv/synced
	@test -n "$$STRIPE_SECRET_KEY" || { echo "Name a key of Stripe's test mode: STRIPE_SECRET_KEY=sk_test_… make verify"; exit 1; }
	@CONTRACT_API_BASE=https://api.stripe.com .venv/bin/python -m pytest -c $(CONTRACT)/pytest.ini $(CONTRACT) $(ARGS)

# The tests marked `ops` on Debian's own nginx and Postgres, whose packages are unpacked, not installed. Needs root.
verify-ops: .venv/synced
	@.venv/bin/python -m deploy.local ops -- $(ARGS)

# Compile pyproject.toml to deploy/requirements/*.txt again; UPGRADE=1 for the newest versions that it allows.
lock: .venv/synced
	@.venv/bin/python -m deploy.lock $(if $(UPGRADE),--upgrade)

# uv installs everything, itself included, at the versions and hashes of dev.txt. The system's Python comes first: it is
# built with profile-guided optimisation, which version managers leave out by default. PYTHON=… names another.
.venv/synced: $(REQUIREMENTS)/dev.txt
	@python=; for found in $(PYTHON) /usr/bin/python3 python3 python3.13 python3.12 python3.11; do \
	  $$found -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; python=$$found; \
	  $$found -c 'import ensurepip, venv' 2>/dev/null && break; python="no venv"; done; \
	case "$$python" in \
	  "") echo "Dropsite needs Python 3.11 or newer, and there is none in the PATH. Name one: PYTHON=/path/to/python3 make"; exit 1;; \
	  "no venv") echo "Python cannot make a virtual environment here. On Debian and Ubuntu: apt install python3-venv"; exit 1;; \
	esac; \
	test -x .venv/bin/uv && .venv/bin/python -c '' 2>/dev/null || { echo "Making .venv (once, about a minute)"; $$python -m venv --clear .venv; }
	@awk '/^[^ #]/ { on = /^uv==/ } on' $< > .venv/uv.txt
	@.venv/bin/uv --version >/dev/null 2>&1 || \
	  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes --only-binary :all: -r .venv/uv.txt
	@$(UV) pip sync --quiet --compile-bytecode --python .venv/bin/python --require-hashes $<
	@touch $@
