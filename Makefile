# Thin aliases; each sets up what it needs first.
.PHONY: demo test check bench clean

demo:
	@./bootstrap
	@examples/demo

test:
	@./bootstrap
	@.venv/bin/pytest -n 2 --dist worksteal -m "not slow"
	@.venv/bin/pytest -m slow

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
