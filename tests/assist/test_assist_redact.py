"""Redaction: no planted secret is left in any form, the rest of the text stays, and all of it can be brought back."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.assist.redact import Redactor
from goldsmith.gates.contract import KnownSecret
from goldsmith.hcl.diagnostics import Refused

SECRETS = ("Zq7vLm2xKp", "wo0dpecker-77", "p@55w0rd!x", "tr0ub4dor_n3", "5up3rgeheim", "qwxzvbnmlkp")
"""Values that stand nowhere else in the texts below."""

SCRIPTS = r"""
echo "root:{S}" | chpasswd
echo 'root:{S}' | sudo /usr/sbin/chpasswd
echo -e "root:{S}\nbob:{S}" | chpasswd -e
printf 'root:%s\n' "{S}" | chpasswd
printf '%s\n' '{S}' | passwd --stdin root
echo {S} | passwd root --stdin
echo -e "{S}\n{S}" | passwd deploy
yes {S} | passwd deploy
(echo {S}; echo {S}) | smbpasswd -s -a deploy
chpasswd <<< "root:{S}"
chpasswd <<< root:{S}
passwd --stdin root <<< {S}
useradd -m -p {S} deploy
useradd --password={S} deploy
usermod -p '{S}' deploy
mysql -uroot -p{S} -e 'select 1'
mysql -u root -p'{S}' app < dump.sql
mysql --password={S} app
mysql --user=root --password={S} -e "CREATE DATABASE x"
mysqladmin -u root password {S}
mysqldump -p{S} --all-databases > /tmp/x
mysql -e "CREATE USER 'a'@'%' IDENTIFIED BY '{S}'"
mysql -e "ALTER USER 'root'@'localhost' IDENTIFIED WITH mysql_native_password BY '{S}';"
mysql -e "SET PASSWORD FOR 'root'@'localhost' = PASSWORD('{S}')"
psql -c "ALTER USER postgres WITH PASSWORD '{S}'"
psql -c "CREATE ROLE app LOGIN ENCRYPTED PASSWORD '{S}'"
sudo -u postgres psql -c "CREATE USER app PASSWORD '{S}'"
PGPASSWORD={S} psql -h db app
export PGPASSWORD='{S}'
MYSQL_PWD="{S}" mysql app
export AWS_SECRET_ACCESS_KEY={S}
curl -u admin:{S} https://example.org/a
curl -uadmin:{S} https://example.org/a
curl -fsSLu "admin:{S}" https://example.org/a
curl --user admin:{S} -o /tmp/a https://example.org/a
curl --user=admin:{S} -o /tmp/a https://example.org/a
curl -x http://proxy:3128 --proxy-user joe:{S} https://example.org/a
curl -H "Authorization: Bearer {S}" https://example.org/a
curl -H 'Authorization: token {S}' https://example.org/a
curl -H "X-Api-Key: {S}" https://example.org/a
curl --header "PRIVATE-TOKEN: {S}" https://example.org/a
curl --oauth2-bearer {S} https://example.org/a
curl -b "{S}" https://example.org/a
curl -d '{"user": "a", "password": "{S}"}' https://example.org/login
curl -d "username=a&password={S}" https://example.org/login
curl https://joe:{S}@example.org/a.tgz -o a.tgz
wget --http-password={S} https://example.org/a
wget --user=joe --password={S} https://example.org/a
wget --header="Authorization: Basic {S}" https://example.org/a
http -a joe:{S} example.org
git clone https://joe:{S}@example.org/x.git
git clone https://oauth2:{S}@example.org/x.git /opt/x
git config --global http.extraheader "AUTHORIZATION: bearer {S}"
sshpass -p {S} ssh root@host
sshpass -p'{S}' scp a root@host:
SSHPASS={S} sshpass -e ssh root@host
openssl enc -aes-256-cbc -pass pass:{S} -in a -out b
openssl rsa -passin pass:{S} -in k.pem
openssl pkcs12 -export -passout "pass:{S}" -in k.pem
openssl passwd -6 {S}
openssl passwd -1 -salt xy '{S}'
docker login -u joe -p {S} registry.example.org
docker login --username joe --password {S}
echo "{S}" | docker login -u joe --password-stdin
podman run -e POSTGRES_PASSWORD={S} postgres
docker build --build-arg NPM_TOKEN={S} .
skopeo copy --src-creds joe:{S} docker://a docker://b
redis-cli -a {S} ping
redis-cli config set requirepass {S}
mongosh -u admin -p {S} --eval 'db'
ldapadd -x -D cn=admin -w {S} -f a.ldif
ldappasswd -s {S} -D cn=admin
slappasswd -s {S}
kadmin -w {S} -q listprincs
echo {S} | kinit admin
aws configure set aws_secret_access_key {S}
az login -u joe -p {S}
az storage blob upload --account-key {S} -f a
vault login {S}
vault kv put secret/app api={S}
kubeadm join 10.0.0.1:6443 --token {S} --discovery-token-unsafe-skip-ca-verification
kubectl create secret generic x --from-literal=password={S}
kubectl --token={S} get pods
subscription-manager register --username joe --password {S}
subscription-manager register --org 1 --activationkey={S}
SUSEConnect -r {S}
pro attach {S}
npm config set //registry.npmjs.org/:_authToken {S}
echo "//registry.npmjs.org/:_authToken={S}" > ~/.npmrc
pip install --index-url https://joe:{S}@pypi.example.org/simple x
gpg --batch --passphrase {S} -d a.gpg
gpg --batch --passphrase-fd 0 -d a.gpg <<< "{S}"
7z x -p{S} a.7z
unzip -P {S} a.zip
keytool -importcert -storepass {S} -alias a
java -Djavax.net.ssl.trustStorePassword={S} -jar a.jar
smbclient //h/s -U joe%{S}
mount -t cifs //h/s /mnt -o username=joe,password={S}
mount -t cifs //h/s /mnt -o password={S},vers=3.0
htpasswd -b -c /etc/nginx/.htpasswd joe {S}
rabbitmqctl add_user joe {S}
rabbitmqctl change_password joe '{S}'
nmcli dev wifi connect Home password {S}
wpa_passphrase Home {S}
tailscale up --authkey {S}
cloudflared service install {S}
ansible-playbook site.yml -e "ansible_password={S}"
ansible-playbook site.yml --extra-vars '{"db_password": "{S}"}'
crudini --set /etc/app.ini database password {S}
sed -i "s/^password=.*/password={S}/" /etc/app.ini
sed -i 's|@DB_PASSWORD@|{S}|' /etc/app.ini; DB_PASSWORD={S}
echo "{S}" | sudo -S apt-get update
echo 'db_password: {S}' >> /etc/app.yml
echo "mysql-server mysql-server/root_password password {S}" | debconf-set-selections
debconf-set-selections <<< 'slapd slapd/password1 password {S}'
: "${ADMIN_PASSWORD:={S}}"
ADMIN_TOKEN=${ADMIN_TOKEN:-{S}}
./install.sh --admin-password {S}
./install.sh -password {S}
agent register --registration-token={S} --url https://example.org
rclone config create b s3 secret_access_key {S}
mc alias set m https://h AKEY {S}
mosquitto_passwd -b /etc/m/p joe {S}
ipmitool -H h -U a -P {S} power on
x11vnc -passwd {S} -forever
bash -c "mysql -p{S} -e 'x'"
ssh host "echo root:{S} | chpasswd"
su - postgres -c "psql -c \"ALTER USER postgres PASSWORD '{S}'\""
expect -c 'spawn ssh h; expect "assword:"; send "{S}\r"; interact'
grub-mkpasswd-pbkdf2 <<< "{S}"
realm join -U admin example.org <<< {S}
# the admin password: {S}
# the password was {S}, changed since
set_password "{S}"; ROOT_PASSWORD="{S}"
"""

TEXTS = (
    "cat > /root/.my.cnf <<EOF\n[client]\nuser=root\npassword={S}\nEOF\n",
    "chpasswd <<EOF\nroot:{S}\nbob:{S}\nEOF\n",
    "cat <<'END' | chpasswd\nroot:{S}\nEND\n",
    "mysql <<SQL\nCREATE USER a IDENTIFIED BY '{S}';\nSQL\n",
    "cat > ~/.netrc <<EOF\nmachine example.org login joe password {S}\nEOF\n",
    "machine example.org\n  login joe\n  password {S}\n",
    "db.example.org:5432:app:joe:{S}\n",
    'variable "db_password" {\n  type    = string\n  default = "{S}"\n}\n',
    'variable "admin_token" {\n  description = "x"\n  sensitive = true\n  default = "{S}"\n}\n',
    'source "qemu" "x" {\n  ssh_password = "{S}"\n}\n',
    'provisioner "shell" {\n  inline = ["echo \'root:{S}\' | chpasswd"]\n}\n',
    'provisioner "shell" {\n  inline = ["echo \\"root:{S}\\" | chpasswd", "mysql -p{S}"]\n}\n',
    'provisioner "shell" {\n  environment_vars = ["DB_PASSWORD={S}"]\n}\n',
    'provisioner "shell" {\n  execute_command = "echo \'{S}\' | sudo -S sh -c \'{{ .Vars }} {{ .Path }}\'"\n}\n',
    'locals {\n  api_token = <<EOF\n{S}\nEOF\n}\n',
    '{"builders": [{"type": "qemu", "ssh_password": "{S}"}]}',
    '{"variables": {"aws_secret_key": "{S}"}}',
    "- name: user\n  ansible.builtin.user:\n    name: joe\n    password: '{S}'\n",
    "- hosts: all\n  vars:\n    db_password: {S}\n",
    "- hosts: all\n  vars:\n    db_password: >-\n      {S}\n    other: 1\n",
    "- hosts: all\n  vars:\n    api_token: |\n      {S}\n",
    "- ansible.builtin.shell: mysql -p{S} -e x\n",
    "- ansible.builtin.uri:\n    url: https://joe:{S}@example.org\n    headers:\n      Authorization: Bearer {S}\n",
    "- community.mysql.mysql_user: name=joe password={S}\n",
    "chpasswd:\n  list: |\n    root:{S}\n    bob:{S}\n",
    "chpasswd:\n  users:\n    - {name: root, password: {S}, type: text}\n",
    "#cloud-config\npassword: {S}\nchpasswd: {expire: false}\n",
    "d-i passwd/root-password password {S}\nd-i passwd/root-password-again password {S}\n",
    "d-i passwd/user-password-crypted password $6$ab$cdefgh{S}\n",
    "rootpw --plaintext {S}\n",
    "rootpw {S}\nuser --name=joe --password={S}\n",
    "root:$6$saltsalt${S}/abcdefgh.:19000:0:99999:7:::\n",
    "joe:$apr1$xyz${S}\n",
    "FROM debian\nENV API_TOKEN {S}\nARG NPM_TOKEN={S}\nRUN mysql -p{S}\n",
    "<server><id>x</id><password>{S}</password></server>",
    '<add key="AdminPassword" value="{S}"/>',
    "Server=db;User Id=sa;Password={S};Encrypt=true\n",
    "DefaultEndpointsProtocol=https;AccountName=x;AccountKey={S};EndpointSuffix=y\n",
    "[db]\nuser = app\npassword = {S}\n",
    "spring.datasource.password={S}\n",
    "redis://:{S}@cache:6379/0\npostgres://app:{S}@db/app\namqp://joe:{S}@mq\n",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow{S}\n-----END RSA PRIVATE KEY-----\n",
    "cat > k <<EOF\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz{S}\nabc{S}\n-----END OPENSSH PRIVATE KEY-----\nEOF\n",
    'key = "-----BEGIN EC PRIVATE KEY-----\\nMHcC{S}\\n-----END EC PRIVATE KEY-----"\n',
    "network={\n  ssid=\"Home\"\n  psk=\"{S}\"\n}\n",
    "userPassword: {SSHA}{S}abcdefgh\n",
    "the secret is {S}9 and stays so\npassword: {S}9\nelsewhere {S}9 again\n",
    "net user joe {S} /add\ncmdkey /pass:{S}; $p = ConvertTo-SecureString '{S}' -AsPlainText\n",
    "api_key => '{S}', secret := \"{S}\"\n",
)  # fmt: skip


@pytest.mark.parametrize("secret", SECRETS)
def test_no_planted_secret_is_left(secret: str) -> None:
    lines = [line for line in SCRIPTS.splitlines() if line]
    left = []
    for text in (*lines, *TEXTS):
        planted = text.replace("{S}", secret)
        redactor = Redactor()
        out = redactor.redact(planted)
        if secret in out:
            left.append(text)
        assert redactor.restored(out) == planted
        redactor.check(out.encode())

    assert left == []


def test_a_whole_script_of_them_keeps_everything_else() -> None:
    script = "#!/bin/sh\nset -e\n" + SCRIPTS.replace("{S}", "Zq7vLm2xKp")
    redactor = Redactor()

    out = redactor.redact(script)

    assert "Zq7vLm2xKp" not in out
    for kept in ("#!/bin/sh\nset -e", "| sudo /usr/sbin/chpasswd", "-o username=joe,", "--all-databases", "-o /tmp/a https://"):
        assert kept in out


def test_one_secret_has_one_placeholder_in_all_texts() -> None:
    redactor = Redactor()

    first, second = redactor.redact("DB_PASSWORD=Zq7vLm2xKp"), redactor.redact("echo Zq7vLm2xKp; TOKEN=other-Token9")

    assert first == "DB_PASSWORD=⟦SECRET_1:password⟧"
    assert second == "echo ⟦SECRET_1:password⟧; TOKEN=⟦SECRET_2:token⟧"


def test_an_answer_names_the_variable_and_never_the_secret() -> None:
    redactor = Redactor()
    redactor.redact("DB_PASSWORD=Zq7vLm2xKp; mysql -pother9Secret")

    answer = redactor.vaulted("login_password: ⟦SECRET_1:password⟧, ⟦SECRET_2:password⟧, ⟦SECRET_9:token⟧")

    assert answer == "login_password: {{ vault_db_password }}, {{ vault_mysql }}, ⟦SECRET_9:token⟧"


def test_what_is_written_for_a_value_is_no_secret() -> None:
    text = """
    mysql -p"$DB_PASSWORD"; curl -u "joe:${TOKEN}" https://example.org/x; password = var.db_password
    password: "{{ vault_db }}"
    sensitive = true; PasswordAuthentication no; token = data.vault.x; password=$(cat /run/secret)
    echo 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08  a.tgz | sha256sum -c
    image: debian@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    git checkout 356a192b7913b04c54574d18c28d46e6395428ab; docker run -p 8080:80 nginx; mkdir -p /opt/app
    apt-get install -y linux-image-6.1.0-18-amd64 libssl3=3.0.11-1~deb12u2; systemctl enable --now nginx.service
    """
    redactor = Redactor()

    assert redactor.redact(text) == text


def test_known_values_are_hidden_wherever_they_stand() -> None:
    redactor = Redactor([KnownSecret(name="var.license", value="just words here")])

    assert redactor.redact("echo just words here") == "echo ⟦SECRET_1:password⟧"


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text,
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.b64encode(b"user:" + text.encode()).decode(),
        lambda text: quote(text, safe=""),
        lambda text: json.dumps(text)[1:-1],
        lambda text: text.encode().hex(),
    ],
)
def test_a_request_with_a_known_value_in_any_encoding_is_stopped(encode: object) -> None:
    redactor = Redactor([KnownSecret(name="var.license", value='p"ä/ss w0rd&x')])
    assert callable(encode)

    with pytest.raises(Refused) as caught:
        redactor.check(f'{{"x": "{encode(chr(112) + chr(34) + "ä/ss w0rd&x")}"}}'.encode())

    assert caught.value.diagnostics[0].code == "redact.secret-in-request"
    assert "w0rd" not in str(caught.value)


def test_placeholders_that_stand_in_the_input_are_not_taken() -> None:
    redactor = Redactor()
    text = "password=⟦SECRET_1:password⟧ TOKEN=Zq7vLm2xKp"

    out = redactor.redact(text)

    assert out == "password=⟦SECRET_1:password⟧ TOKEN=⟦SECRET_2:token⟧"
    assert redactor.restored(out) == text


_PIECES = st.sampled_from(
    ("password=", "'", '"', "\n", " | chpasswd", "echo ", "root:", "mysql -p", "<<EOF\n", "EOF\n", "${X:-",
     "}", "{{ x }}", "⟦", *SECRETS)
)  # fmt: skip


@given(st.lists(st.one_of(_PIECES, st.text(max_size=8)), max_size=25).map("".join))
def test_every_text_comes_back_as_it_was(text: str) -> None:
    redactor = Redactor()

    out = redactor.redact(text)

    assert redactor.restored(out) == text
    assert redactor.restored(redactor.redact(out)) == text
