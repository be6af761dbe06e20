#!/bin/sh
# Fails the build when the site would not start.
set -eu
nginx -t
test -s /var/www/html/index.html
if [ -n "${SESSION_SECRET:-}" ]; then
    echo "A session secret of ${#SESSION_SECRET} characters was given to this step; it stays out of the image."
fi
