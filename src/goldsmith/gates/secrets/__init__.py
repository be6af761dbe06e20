"""Gate `secrets`: is anything in the image that gives access to something else, or that two clones must not share?"""

from goldsmith.gates.secrets.gate import Secrets, SecretsConfig

__all__ = ["Secrets", "SecretsConfig"]
