packer {
  required_version = ">= 1.9.0"

  required_plugins {
    ansible = {
      version = "~> 1"
      source  = "github.com/hashicorp/ansible"
    }
  }
}

build {
  sources = ["source.bootstrap.base"]

  provisioner "ansible" {
    playbook_file = "${path.root}/hardening.yml"
  }

  provisioner "file" {
    source      = "${path.root}/agent/fleet-agent"
    destination = "/usr/local/sbin/fleet-agent"
  }

  provisioner "shell" {
    environment_vars = ["HEARTBEAT=${var.heartbeat}"]
    script           = "${path.root}/agent/install-agent.sh"
  }

  post-processor "checksum" {
    checksum_types = ["sha256"]
    output         = "${path.root}/output/SHA256SUMS"
  }

  post-processor "manifest" {
    output     = "${path.root}/output/manifest.json"
    strip_path = true
  }
}
