"""The whole chain against a real S3 protocol and a YARN cluster on this machine: `make rehearsal`."""
