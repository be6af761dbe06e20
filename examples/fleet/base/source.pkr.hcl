locals {
  boot    = ["linux-image-cloud-amd64", "initramfs-tools", "systemd-sysv", "udev", "dbus"]
  network = ["systemd-resolved", "iproute2", "ca-certificates"]
  access  = ["openssh-server"]
}

source "bootstrap" "base" {
  distribution     = "debian"
  release          = var.release
  packages         = concat(local.boot, local.network, local.access)
  hostname         = "golden"
  output_directory = "${path.root}/output"
}
