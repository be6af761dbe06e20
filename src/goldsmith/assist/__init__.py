"""Help for people who write images: what their templates, playbooks and scripts would give away."""

from goldsmith.assist.remarks import Remark
from goldsmith.assist.review import Review, review

__all__ = ["Remark", "Review", "review"]
