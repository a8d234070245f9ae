"""Picture sources, cleaning, the scene composer and its captions."""
