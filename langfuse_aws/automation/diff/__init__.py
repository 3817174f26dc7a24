"""`diff`: what a change does to every stack, by deploying both versions offline."""
