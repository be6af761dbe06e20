# Thin aliases; each sets up what it needs first.
.PHONY: demo test check bench clean

demo:
	@./bootstrap
	@examples/demo

test:
	@./bootstrap
	@.venv/bin/pytest -n 2 --dist worksteal

check:
	@./bootstrap
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

bench:
	@./bootstrap
	@.venv/bin/python benchmarks/fleet.py

clean:
	@rm -rf .demo
