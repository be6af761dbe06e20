#!/bin/bash
# mkdir -p, -m; rmdir
set -e
mkdir /srv/one
mkdir -p /srv/two/three/four
mkdir -p -m 0700 /srv/five/six
mkdir -p /srv/{seven,eight}/x
rmdir /opt/fixtures/empty
