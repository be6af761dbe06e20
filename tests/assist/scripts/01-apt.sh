#!/bin/bash
# apt-get: install, remove, purge, autoremove, update, upgrade, clean
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get -y upgrade
apt-get install -y --no-install-recommends tool toold
apt-get purge -y toold
apt-get install -y tool-extra
apt-get remove -y tool-extra
apt-get autoremove -y
apt-get clean
rm -rf /var/lib/apt/lists/*
