# Certifies the machine's disk: `goldsmith build .` here.

image "vm" {
  template = "."
  login    = "debian"
  ports    = ["tcp/22", "tcp/8080"]
}

gate "secrets" {}

gate "boot" {
  within = "3m"
}

channel "dev" {
  requires = ["secrets", "boot"]
}
