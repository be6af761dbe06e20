"""Sources: where a build starts. One file per component name, and what `bootstrap` needs to take packages from an archive."""
