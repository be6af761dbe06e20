source "image" "web" {
  parent           = "base"
  hostname         = "web"
  output_directory = "${path.root}/output"
}
