variable "title" {
  type    = string
  default = "Golden"
}

variable "forget_key" {
  type        = bool
  default     = false
  description = "Leaves a deploy key behind, to see the secrets gate refuse the image."
}

variable "session_secret" {
  type        = string
  default     = env("FLEET_SESSION_SECRET")
  sensitive   = true
  description = "Needed while building only; the secrets gate proves that it is in no file of the image."
}
