variable "release" {
  type        = string
  default     = "bookworm"
  description = "The Debian release that the fleet stands on."

  validation {
    condition     = contains(["bookworm"], var.release)
    error_message = "The fleet is tested on bookworm only."
  }
}

variable "heartbeat" {
  type        = string
  default     = "5min"
  description = "How often the agent reports."
}
