"""One reader per family of sources: each turns an unpacked package into `Picture`s, in a fixed order."""
