#!/bin/bash
# chmod, chown, chgrp: one file, a tree, a pattern, symbolic modes
set -e
mkdir -p /srv/site/sub
touch /srv/site/a.conf /srv/site/b.conf /srv/site/sub/c
chmod 640 /srv/site/a.conf
chmod u+x,go-w /srv/site/sub/c
chmod 600 /srv/site/*.conf
chown -R games:games /srv/site
chgrp mail /srv/site/sub
chown root: /srv/site/sub/c
chmod 2775 /srv/site/sub
