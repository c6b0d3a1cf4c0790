"""The way to AWS: one session, waiting and retrying, ownership, sweeping."""
