#!/bin/bash
# cp, cp -r, cp of a pattern, install
set -e
cp /opt/fixtures/app.conf /etc/app.conf
mkdir /srv/copies
cp /opt/fixtures/conf/*.conf /srv/copies/
cp -r /opt/fixtures/conf /srv/conf
cp -a /opt/fixtures/app.conf /srv/copies/kept.conf
install -m 0755 /opt/fixtures/run.sh /usr/local/bin/run-app
install -d -m 0750 -o games -g games /srv/games
install -D -m 0600 /opt/fixtures/app.conf /srv/deep/er/app.conf
