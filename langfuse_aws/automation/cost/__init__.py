"""`cost`: a stack's bill in words, and new prices from AWS."""
