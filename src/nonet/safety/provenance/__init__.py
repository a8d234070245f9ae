"""How a drawing says what it is: metadata, a signature and an invisible mark, and how they are read again."""
