source "image" "web" {
  parent           = "base"
  hostname         = "web"
  output_directory = "output"
}
