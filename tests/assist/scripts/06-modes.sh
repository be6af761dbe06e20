#!/bin/bash
# chmod, chown, chgrp: one file, a tree, a pattern, symbolic modes
set -e
chmod 640 /opt/fixtures/app.conf
chmod go-rwx,u+x /opt/fixtures/letters.txt
chmod 600 /opt/fixtures/old/*.txt
chown -R games:games /opt/fixtures/conf
chown daemon: /opt/fixtures/run.sh
chgrp mail /opt/fixtures/sshd.conf
chmod 2775 /opt/fixtures/older
mkdir /srv/site
chmod 0750 /srv/site
chown games:games /srv/site
