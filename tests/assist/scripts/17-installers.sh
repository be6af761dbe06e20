#!/bin/bash
# an installer, a build
# needs: make
set -e
sh /opt/fixtures/installer.run --prefix=/opt/installed
cd /opt/fixtures/source
./configure --prefix=/opt/built
make
make install
