#!/bin/bash
# keys and certificates: other ones in each run
set -e
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=own -keyout /etc/ssl/own.key -out /etc/ssl/own.crt 2> /dev/null
chmod 600 /etc/ssl/own.key
