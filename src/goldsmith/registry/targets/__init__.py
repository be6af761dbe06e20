"""Places outside that hear of changes or follow a channel, one file for each kind."""
