#!/bin/bash
# mv: a file, a directory, a file into a directory
set -e
mv /opt/fixtures/app.conf /etc/moved.conf
mv /opt/fixtures/conf /srv/conf
mkdir /srv/into
mv /opt/fixtures/run.sh /srv/into/
