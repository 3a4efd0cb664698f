"""A diagnosis to read: a few lines in a terminal, plain data with a schema, one page with its figures, a picture."""

from .page import html
from .picture import figure
from .plain import data
from .terminal import text, whole_text

__all__ = ["data", "figure", "html", "text", "whole_text"]
