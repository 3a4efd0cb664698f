"""What every run needs: a folder that survives a kill, random streams, progress, tables, figures."""
