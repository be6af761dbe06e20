#!/bin/bash
# rm: a path, several, a pattern, a tree
set -e
rm /opt/fixtures/old/a.txt
rm -f /opt/fixtures/old/b.txt /opt/fixtures/missing
rm -f /opt/fixtures/old/*.log
rm -rf /opt/fixtures/older
unlink /opt/fixtures/old/c.txt
