# Thin aliases; each sets up what it needs first.
.PHONY: demo test moto sigstore check bench clean

demo:
	@./bootstrap
	@examples/demo

test: moto sigstore
	@.venv/bin/pytest -n 2 --dist worksteal -m "not slow"
	@.venv/bin/pytest -n 2 --dist loadfile -m slow

# A server that answers as AWS does, for the tests of what talks to AWS. It has an environment of its own (180 MB).
moto:
	@./bootstrap tests
	@UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=.tools/moto .tools/bin/uv sync -q --frozen --only-group moto

# Sigstore's own verifier (1 MB), for one test. It is left out where there is no npm, for Debian's brings 300 packages.
sigstore: tests/sigstore/package-lock.json
	@command -v npm >/dev/null || exit 0; [ .tools/sigstore/node_modules -nt $< ] && exit 0; mkdir -p .tools/sigstore && \
	cp tests/sigstore/package*.json .tools/sigstore && npm ci --silent --no-audit --no-fund --prefix .tools/sigstore && \
	touch .tools/sigstore/node_modules || echo "Sigstore's verifier could not be installed; its test is skipped."

check:
	@./bootstrap
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

bench:
	@./bootstrap
	@.venv/bin/python -m benchmarks.fleet

clean:
	@rm -rf .demo
