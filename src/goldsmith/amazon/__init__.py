"""What the sources of AMIs are made of: settings, requests to EC2, and the release of all that a build holds there."""
