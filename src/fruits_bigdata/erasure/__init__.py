"""Carry out a request for erasure: images, everything made of them, and the proof that nothing is left.

    python -m fruits_bigdata.erasure --path 'Apple Braeburn/321_100.jpg' --params output_path=...

May import every room but `emr` and `warmup`; nothing imports it.
"""
