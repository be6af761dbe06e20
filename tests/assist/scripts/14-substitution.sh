#!/bin/bash
# sed -i s///: whole lines, parts, groups, addresses, flags, another delimiter
set -e
sed -i 's/^UMASK.*/UMASK\t\t027/' /etc/login.defs
sed -i 's/port = 80/port = 8080/' /opt/fixtures/app.conf
sed -i -e 's|/var/www|/srv/www|g' -e 's/^#\s*\(debug\)/\1/' /opt/fixtures/app.conf
sed -i -E 's/(key)=([a-z]+)/\1 = "\2"/' /opt/fixtures/app.conf
sed -i '/^\[web\]/s/web/site/' /opt/fixtures/app.conf
sed -i 's/^a/b/' /opt/fixtures/letters.txt
