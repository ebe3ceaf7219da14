"""Rid the stores of rows that count no more and of small files."""
