"""Benchmarks: figures with their aims beside them, on machines of this computer."""
