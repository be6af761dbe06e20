#!/bin/bash
# tar x, a pipe into tar, unzip
set -e
mkdir -p /opt/app
tar -xzf /opt/fixtures/app.tar.gz -C /opt/app --strip-components=1
mkdir /opt/zipped
unzip -q /opt/fixtures/app.zip -d /opt/zipped
cat /opt/fixtures/app.tar.gz | tar xz -C /srv
