"""The routes, one module for each API; every one has a `router`."""
