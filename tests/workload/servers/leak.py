"""A client that forgets its connections: leak.py SERVER SOCKET COUNT PACE.

It opens a connection each PACE seconds, uses it once and never closes it, until it has COUNT or is turned away. It prints
`opened N` after each, and in the end `done N`, or `full N` when it was turned away with N open. Then it waits for the end of its
standard input.
"""

import sys
import time

from connecting import opener

server, socket, count, pace = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
connect = opener(server)
print("ready", flush=True)

forgotten = []
end = "done"
while len(forgotten) < count:
    try:
        forgotten.append(connect(socket))
    except Exception as error:
        print(f"turned away: {error!r}", file=sys.stderr)
        end = "full"
        break
    print(f"opened {len(forgotten)}", flush=True)
    time.sleep(pace)
print(f"{end} {len(forgotten)}", flush=True)
sys.stdin.read()
