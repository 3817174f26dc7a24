"""What a stack costs a month, worked out from its resource graph. Pure: it asks nobody."""
