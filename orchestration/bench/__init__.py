"""Benchmarks: ratios within one run, since seconds differ from machine to machine."""
