#!/bin/bash
# sed -i: /re/d, a, i, c, at the end
set -e
sed -i '/^debug/d' /opt/fixtures/app.conf
sed -i '/^\[web\]/a timeout = 5' /opt/fixtures/app.conf
sed -i '1i # managed' /opt/fixtures/app.conf
sed -i 's/^root = .*/root = \/srv/' /opt/fixtures/app.conf
sed -i '$a last = yes' /opt/fixtures/app.conf
