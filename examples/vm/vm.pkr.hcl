# A web server on Debian's own cloud image, by a virtual machine. The second build goes on from where something changed.

variable "image" {
  type        = string
  default     = "https://cloud.debian.org/images/cloud/bookworm/latest/debian-12-generic-amd64.qcow2"
  description = "A disk image with cloud-init: an address, or a path on this host."
}

variable "checksum" {
  type    = string
  default = "file:https://cloud.debian.org/images/cloud/bookworm/latest/SHA512SUMS"
}

variable "greeting" {
  type    = string
  default = "Hello."
}

source "qemu" "vm" {
  disk_image       = true
  iso_url          = var.image
  iso_checksum     = var.checksum
  disk_size        = "4G"
  disk_compression = true
  headless         = true
  memory           = 1024
  cpus             = 2
  ssh_username     = "debian"
  ssh_timeout      = "20m"
  output_directory = "${path.root}/output"
  vm_name          = "vm.qcow2"

  # cloud-init reads its seed from a CD of this name; the key is this build's, and is gone in the end.
  cd_label = "cidata"
  cd_content = {
    "meta-data" = "instance-id: build\nlocal-hostname: build\n"
    "user-data" = <<-SEED
      #cloud-config
      users:
        - name: debian
          sudo: ALL=(ALL) NOPASSWD:ALL
          shell: /bin/bash
          ssh_authorized_keys: ["{{ .SSHPublicKey }}"]
    SEED
  }

  # What only a machine that is about to end can remove: the right to log in, its identity, its logs.
  shutdown_command = "sudo sh /tmp/finish.sh"
}

build {
  sources = ["source.qemu.vm"]

  provisioner "shell" {
    script          = "${path.root}/install.sh"
    execute_command = "sudo sh {{ .Path }}"
  }

  provisioner "file" {
    source      = "${path.root}/finish.sh"
    destination = "/tmp/finish.sh"
  }

  provisioner "shell" {
    inline = ["echo '${var.greeting}' | sudo tee /srv/site/index.html"]
  }
}
