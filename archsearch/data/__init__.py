"""Data sources, their fixed splits, and reference models on them.

Nothing is imported here: a shape is known without what loading takes.
"""
