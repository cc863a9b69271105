"""What scripts/gpu/check.sh runs: steps that find out whether, and how fast, the program works on a GPU.

A step is a function of a `Context` that returns what it found, in a line, or raises `Failed` or `Skipped`. Its module
lists it in STEPS. Everything that a step runs goes through `Context.run`, which keeps its time limit and the log.
"""
