#!/bin/bash
# crontab, locale-gen
# needs: crontab locale-gen
set -e
echo '0 3 * * * root /usr/bin/true' > /etc/cron.d/own
( crontab -l 2> /dev/null; echo '*/5 * * * * /usr/bin/true' ) | crontab -
sed -i 's/^# *\(en_GB.UTF-8 UTF-8\)/\1/' /etc/locale.gen
locale-gen
update-locale LANG=en_GB.UTF-8
