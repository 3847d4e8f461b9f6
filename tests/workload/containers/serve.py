"""A server that accepts whoever comes and keeps all: serve.py SOCKET. It prints `ready` when it listens."""

import os
import socket
import sys

if os.path.exists(sys.argv[1]):
    os.unlink(sys.argv[1])
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(128)
print("ready", flush=True)
accepted = []
while True:
    accepted.append(listener.accept())
