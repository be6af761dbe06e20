#!/bin/bash
# what several commands do together is one task
set -e
cat > /usr/local/bin/hello <<'X'
#!/bin/sh
echo hello
X
chmod +x /usr/local/bin/hello
chown games:games /usr/local/bin/hello
id deploy 2> /dev/null || useradd -m deploy
grep -q '^Port' /opt/fixtures/sshd.conf && sed -i 's/^Port.*/Port 2222/' /opt/fixtures/sshd.conf || echo 'Port 2222' >> /opt/fixtures/sshd.conf
mkdir -p /home/deploy/.ssh
echo "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPzu deploy" > /home/deploy/.ssh/authorized_keys
chmod 700 /home/deploy/.ssh
chmod 600 /home/deploy/.ssh/authorized_keys
chown -R deploy:deploy /home/deploy/.ssh
ldconfig
