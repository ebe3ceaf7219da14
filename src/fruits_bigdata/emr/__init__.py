"""`fruits-emr`: the account's stacks, the cluster and its runs, transfers, what a cluster installs.

May import `cost`, `privacy`, `images`, `storage` and `cli`; nothing imports it.
"""
