#!/bin/bash
# ufw
# needs: ufw
set -e
ufw default deny incoming
ufw allow 22/tcp
ufw limit ssh
ufw allow from 10.0.0.0/8 to any port 5432 proto tcp
