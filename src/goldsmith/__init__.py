"""Goldsmith: golden machine images, built in layers, proven and promoted."""
