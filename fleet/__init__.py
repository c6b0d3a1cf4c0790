"""Nodes of a baked image in service."""
