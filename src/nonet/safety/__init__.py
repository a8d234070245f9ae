"""What may be drawn, and how a drawing says what it is."""
