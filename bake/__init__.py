"""Spec, plan, machine, image: from a TOML file to a verified machine image."""
