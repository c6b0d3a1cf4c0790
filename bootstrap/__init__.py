"""What runs on a node: start its services, report its state. Needs nothing else of this repository."""
