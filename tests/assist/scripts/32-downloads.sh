#!/bin/bash
# curl -o, a pipe into tar, a checksum
# needs: curl
set -e
curl -fsSL -o /opt/app.tar.gz file:///opt/fixtures/app.tar.gz
mkdir /opt/fetched
curl -fsSL file:///opt/fixtures/app.tar.gz | tar xz -C /opt/fetched
