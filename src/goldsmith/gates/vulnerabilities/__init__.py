"""The gate `vulnerabilities`: what is published about installed packages, and what the project makes of it."""

from goldsmith.gates.vulnerabilities.gate import Occasion, Vulnerabilities, assess
from goldsmith.gates.vulnerabilities.policy import VulnerabilitiesConfig

__all__ = ["Occasion", "Vulnerabilities", "VulnerabilitiesConfig", "assess"]
