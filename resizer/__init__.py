"""A WSGI image resizer that keeps what it made, on disk and in S3."""
