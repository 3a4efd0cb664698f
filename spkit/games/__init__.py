"""Self-play without a language model: games whose every number is exact."""
