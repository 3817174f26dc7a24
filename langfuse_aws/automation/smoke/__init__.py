"""`smoke`: a trace through every part, and the part that fails."""
