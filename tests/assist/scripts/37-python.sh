#!/bin/bash
# a virtual environment, pip
# needs: python3
set -e
python3 -m venv /opt/venv
/opt/venv/bin/pip install -q --no-index /opt/fixtures/own-1.0.tar.gz --no-build-isolation
