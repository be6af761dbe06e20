#!/bin/bash
# apt-get: install, remove, purge, autoremove, update, upgrade, clean
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get -y upgrade
apt-get install -y --no-install-recommends tool toold
apt-get remove -y bzip2
apt-get purge -y unzip make
apt-get autoremove -y
apt-get clean
rm -rf /var/lib/apt/lists/*
