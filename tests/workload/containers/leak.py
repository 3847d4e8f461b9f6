"""A client in a container that forgets its connections: leak.py SOCKET COUNT PACE DONE.

It opens a connection each PACE seconds and never closes it, until it has COUNT. Then it writes COUNT to the file DONE, and waits.
"""

import signal
import socket
import sys
import time

path, count, pace, done = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
forgotten = []
while len(forgotten) < count:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    forgotten.append(connection)
    time.sleep(pace)
with open(done, "w", encoding="ascii") as file:
    file.write(str(count))
signal.pause()
