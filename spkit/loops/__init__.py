"""Loops: one file a method."""
