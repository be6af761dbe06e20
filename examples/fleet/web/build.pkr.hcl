build {
  sources = ["source.image.web"]

  provisioner "ansible" {
    playbook_file   = "${path.root}/site.yml"
    extra_arguments = ["--extra-vars", "site_title=${var.title}"]
  }

  provisioner "shell" {
    script           = "${path.root}/scripts/check-site.sh"
    environment_vars = ["SESSION_SECRET=${var.session_secret}"]
  }

  dynamic "provisioner" {
    for_each = var.forget_key ? ["deploy"] : []
    labels   = ["shell"]

    content {
      inline = [
        "mkdir -p /srv/${provisioner.value}",
        "ssh-keygen -q -t ed25519 -N '' -C ${provisioner.value} -f /srv/${provisioner.value}/id_ed25519",
      ]
    }
  }

  provisioner "file" {
    source      = "${path.root}/etc/motd"
    destination = "/etc/motd"
  }

  post-processors {
    post-processor "checksum" {
      checksum_types = ["sha256"]
      output         = "${path.root}/output/SHA256SUMS"
    }

    post-processor "manifest" {
      output     = "${path.root}/output/manifest.json"
      strip_path = true
      custom_data = {
        title = var.title
      }
    }
  }
}
