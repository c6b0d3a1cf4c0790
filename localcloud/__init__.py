"""An AWS endpoint on this computer whose instances are real machines."""
