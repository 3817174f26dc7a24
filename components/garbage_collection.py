"""Python's garbage collection, which a process that ends with its run does without."""

import atexit
import gc


def keep_garbage() -> None:
    """Look for no garbage from now on, and leave all of it to the end of the process.

    What a run makes lives until its end. Looking for what does not, and freeing it all one by one
    at the end, takes 2 s of the 9 s of CPU of a preview of `prod`.
    """
    gc.disable()
    atexit.register(gc.freeze)
