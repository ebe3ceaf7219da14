"""Places, S3's settings for every client, files that readers see whole, and what a failing storage says.

Imports no other room.
"""
