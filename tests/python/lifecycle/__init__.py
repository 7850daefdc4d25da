"""Lifecycle stages against an independent evaluator and against the golden cases."""
