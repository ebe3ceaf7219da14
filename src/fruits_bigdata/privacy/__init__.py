"""Where data may lie and be processed, and how they are encrypted: refused before the first byte.

May import `storage`; `hooks.context` asks it before a catalog is given out, `emr` before a request is sent.
"""
