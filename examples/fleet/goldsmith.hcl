# The fleet: a thin base and a web image on top of it, their gates, and the channels that they move through.

image "base" {
  template = "base"
  ports    = ["tcp/22"]
  services = ["ssh.service", "fleet-agent.timer"]
}

image "web" {
  template = "web"
  ports    = ["tcp/22", "tcp/80"]
  services = ["ssh.service", "fleet-agent.timer", "nginx.service"]
}

gate "patches" {}

# What is published about installed packages needs advisories on this host: goldsmith advisories update, or import a file
# where there is no network. With them, take this gate and name it in prod's requires:
#
#   gate "vulnerabilities" {}

gate "secrets" {}

gate "hardening" {
  minimum = 0.9
}

gate "boot" {
  within = "3m"
  tests  = "tests/"
}

channel "dev" {}

channel "staging" {
  requires = ["secrets", "boot"]
}

channel "prod" {
  after    = "staging"
  requires = ["patches", "secrets", "hardening", "boot"]
}

retention {
  keep_last = 1
  keep_for  = "0d"
  grace     = "0s"
}

signing {
  key = "keys/goldsmith.key"
}
