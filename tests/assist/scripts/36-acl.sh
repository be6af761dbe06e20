#!/bin/bash
# setfacl
# needs: setfacl
set -e
mkdir /srv/shared
setfacl -m u:games:rwx /srv/shared
