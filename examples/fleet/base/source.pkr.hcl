locals {
  boot   = ["linux-image-cloud-amd64", "initramfs-tools", "systemd-sysv", "udev", "dbus"]
  access = ["openssh-server", "iproute2", "ca-certificates"]
}

source "bootstrap" "base" {
  distribution     = "debian"
  release          = var.release
  packages         = concat(local.boot, local.access)
  hostname         = "golden"
  output_directory = "${path.root}/output"
}
