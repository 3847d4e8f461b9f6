"""A client that behaves: visitor.py SERVER SOCKET PACE [THREADS].

Each of its threads (one, unless more are asked for) opens a connection each PACE seconds, uses it and closes it. It prints
`visited N` when that went well for the Nth time, and `failed N` when it was turned away or gave up for the Nth time. When a line
comes on its standard input it stops, and prints `stopped VISITED FAILED`. Then it waits for the end of its standard input.
"""

import sys
import threading

from connecting import opener

server, socket, pace = sys.argv[1], sys.argv[2], float(sys.argv[3])
threads = int(sys.argv[4]) if len(sys.argv) > 4 else 1
connect = opener(server)
stop = threading.Event()
lock = threading.Lock()
counts = {"visited": 0, "failed": 0}


def visit():
    try:
        connection = connect(socket)
        try:
            connection.use()
        finally:
            connection.close()
    except Exception as error:
        print(f"turned away: {error!r}", file=sys.stderr)
        return "failed"
    return "visited"


def visit_again_and_again():
    while not stop.wait(pace):
        outcome = visit()
        with lock:
            counts[outcome] += 1
            print(f"{outcome} {counts[outcome]}", flush=True)


print("ready", flush=True)
visitors = [threading.Thread(target=visit_again_and_again) for _ in range(threads)]
for visitor in visitors:
    visitor.start()
sys.stdin.readline()
stop.set()
for visitor in visitors:
    visitor.join()
print(f"stopped {counts['visited']} {counts['failed']}", flush=True)
sys.stdin.read()
