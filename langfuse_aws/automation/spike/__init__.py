"""`simulate-spike`: the worker's queue in a burst of events, under both ways of scaling."""
