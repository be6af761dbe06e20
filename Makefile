# Thin aliases; each sets up what it needs first.
.PHONY: demo test moto check bench clean

demo:
	@./bootstrap
	@examples/demo

test: moto
	@.venv/bin/pytest -n 2 --dist worksteal -m "not slow"
	@.venv/bin/pytest -n 2 --dist loadfile -m slow --ignore=tests/e2e
	@.venv/bin/pytest -m slow tests/e2e

# A server that answers as AWS does, for the tests of what talks to AWS. It has an environment of its own (180 MB).
moto:
	@./bootstrap tests
	@UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=.tools/moto .tools/bin/uv sync -q --frozen --only-group moto

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
