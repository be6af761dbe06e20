"""Post-processors: the steps that turn an artifact into another, one file for each; they are found by their names."""
