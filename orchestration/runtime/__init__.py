"""What a run needs around its steps: where things lie, settings, checks before the start, the run
lock."""
