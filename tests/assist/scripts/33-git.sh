#!/bin/bash
# git clone, a tag, config
# needs: git
set -e
git clone -q /opt/fixtures/app.git /opt/cloned
git config --system init.defaultBranch main
