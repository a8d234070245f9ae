"""Training the codec, the decoder and the judge, and measuring them."""
