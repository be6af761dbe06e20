packer {
  required_plugins {
    amazon = {
      version = ">= 1.2.8"
      source  = "github.com/hashicorp/amazon"
    }
  }
}

variable "region" {
  type    = string
  default = "us-east-1"
}

variable "instance_type" {
  type    = string
  default = "t3.medium"
}

locals {
  timestamp = regex_replace(timestamp(), "[- TZ:]", "")
}

source "amazon-ebs" "golden" {
  ami_name      = "golden-ubuntu-22.04-${local.timestamp}"
  instance_type = var.instance_type
  region        = var.region

  source_ami_filter {
    filters = {
      name                = "ubuntu/images/*ubuntu-jammy-22.04-amd64-server-*"
      root-device-type    = "ebs"
      virtualization-type = "hvm"
    }
    most_recent = true
    owners      = ["099720109477"]
  }

  ssh_username = "ubuntu"

  launch_block_device_mappings {
    device_name           = "/dev/sda1"
    volume_size           = 20
    volume_type           = "gp3"
    encrypted             = true
    delete_on_termination = true
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  tags = {
    Name          = "golden-ubuntu-22.04"
    BuildDate     = "{{ isotime \"2006-01-02\" }}"
    Base_AMI_ID   = "{{ .SourceAMI }}"
    Base_AMI_Name = "{{ .SourceAMIName }}"
    ManagedBy     = "packer"
  }
  run_tags = {
    Purpose = "packer-build"
  }
  snapshot_tags = {
    Name = "golden-ubuntu-22.04"
  }
}

build {
  name    = "golden"
  sources = ["source.amazon-ebs.golden"]

  provisioner "shell" {
    inline = ["echo 'waiting for the first boot'", "test -d /etc"]
  }

  provisioner "file" {
    content     = "built from ${build.SourceAMIName}\n"
    destination = "/tmp/motd"
  }

  provisioner "shell" {
    execute_command = "chmod +x {{ .Path }}; {{ .Vars }} sudo -E sh '{{ .Path }}'"
    environment_vars = ["STAGE=golden"]
    inline = [
      "cp /tmp/motd /etc/motd",
      "echo $STAGE > /etc/stage",
      "rm /tmp/motd",
    ]
  }

  post-processor "manifest" {
    output     = "manifest.json"
    strip_path = true
    custom_data = {
      source_ami = "${build.SourceAMI}"
    }
  }
}
