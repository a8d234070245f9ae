"""Every way in which weights come in and go out."""
