# make demo   sets up .venv and searches the bundled handwritten digits
# make test   sets up .venv and runs every check and test
# make test-schedulers   runs searches under a real cron daemon and a real systemd: about nine minutes, as root
# make test-slurm   runs searches under a real Slurm, which it starts for itself: about three minutes, as root
# On a machine with an NVIDIA GPU: make demo DEVICE=gpu

PYTHON ?= python3
DEVICE ?= cpu
BIN := .venv/bin
# Also for what builds the package, which a --constraint option would not reach.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test test-schedulers test-slurm chromium cron slurm clean

demo: .venv/$(DEVICE)
	$(BIN)/archsearch run search_spaces/digits.yaml

test: .venv/dev chromium
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# A cron daemon is started if none runs; the crontab is put back afterwards, byte for byte.
test-schedulers: .venv/dev cron
	$(BIN)/pytest -s tests/schedulers/real_cron.py tests/schedulers/real_systemd.py

# Its daemons have their folder and ports to themselves, and end with the tests.
test-slurm: .venv/dev slurm
	$(BIN)/pytest -s --durations=0 tests/slurm/real_slurm.py

.venv/bin/pip:
	$(PYTHON) -m venv .venv

.venv/$(DEVICE): .venv/bin/pip pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --editable '.[$(DEVICE)]'
	touch $@

.venv/dev: .venv/bin/pip pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --editable '.[$(DEVICE),dev]'
	touch $@

# The report's tests look at it in a browser; they are skipped where there is none and this may not install it.
chromium:
	@command -v chromium chromium-browser google-chrome >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq chromium >/dev/null; \
	else \
		echo "no Chromium on PATH: the browser tests are skipped (apt-get install chromium)"; \
	fi

cron:
	@command -v crontab >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq cron >/dev/null; \
	else \
		echo "no crontab on PATH: apt-get install cron" && false; \
	fi

slurm:
	@{ command -v slurmctld && command -v slurmd && command -v munged; } >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq slurm-wlm munge >/dev/null; \
	else \
		echo "no Slurm on PATH: apt-get install slurm-wlm munge" && false; \
	fi

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
