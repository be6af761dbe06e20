#!/bin/bash
# find -delete, -exec, xargs
set -e
find /opt/fixtures/old -name '*.log' -delete
find /opt/fixtures/conf -type f -exec chmod 600 {} \;
find /opt/fixtures/older -type f | xargs rm -f
find /opt/fixtures/old -type f -name '*.txt' -exec rm {} +
