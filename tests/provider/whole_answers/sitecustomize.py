"""Lets the simulated AWS write an answer's headers and its body at once.

Written one after the other, as http.server does, one in two thousand is lost: the AWS provider's
client may close its connection, which the headers call the last use of, before it has the body.
It then sends the request again, and AWS is told twice to make something, or to delete it.

Python imports a module of this name when it starts, so the server itself stays as it is.
https://docs.python.org/3/library/site.html#module-sitecustomize
"""

import socketserver

socketserver.StreamRequestHandler.wbufsize = 1 << 20
