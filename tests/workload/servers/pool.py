"""A healthy pool that fills slowly: pool.py SERVER SOCKET SIZE PACE.

Round after round it takes all its connections out of the pool, uses each and puts it back. Each PACE seconds it takes one more, until
it has SIZE. It prints `pooled N` when it has one more, and `round N` after each round with all SIZE of them. It goes on until its
standard input ends.
"""

import select
import sys
import time

from connecting import PATIENCE, opener

# Rounds follow each other after so many seconds.
REST = 0.2


class Listed:
    """A plain list of connections."""

    def __init__(self, server, socket, size):
        self.connect = opener(server)
        self.socket = socket
        self.free = []

    def take(self):
        return self.free.pop() if self.free else self.connect(self.socket)

    def use(self, connection):
        connection.use()

    def put_back(self, connection):
        self.free.append(connection)


class OfSqlalchemy:
    """The pool of SQLAlchemy's engine."""

    def __init__(self, server, socket, size):
        import sqlalchemy

        folder = socket.rpartition("/")[0]
        address = f"{server}+psycopg2://app@/postgres?host={folder}"
        self.text = sqlalchemy.text
        self.engine = sqlalchemy.create_engine(address, pool_size=size, max_overflow=0)

    def take(self):
        return self.engine.connect()

    def use(self, connection):
        connection.execute(self.text("SELECT 1")).fetchall()

    def put_back(self, connection):
        connection.close()


class OfRedis:
    """redis-py's pool."""

    def __init__(self, server, socket, size):
        import redis

        kind = redis.UnixDomainSocketConnection
        self.pool = redis.BlockingConnectionPool(
            max_connections=size, timeout=PATIENCE, connection_class=kind, path=socket
        )

    def take(self):
        return self.pool.get_connection("PING")

    def use(self, connection):
        connection.send_command("PING")
        connection.read_response()

    def put_back(self, connection):
        self.pool.release(connection)


POOLS = {"postgresql": OfSqlalchemy, "redis": OfRedis}

server, socket, size, pace = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
pool = POOLS.get(server, Listed)(server, socket, size)
print("ready", flush=True)

members = rounds = 0
due = time.monotonic()
while not select.select([sys.stdin], [], [], REST)[0]:
    is_one_more = members < size and time.monotonic() >= due
    if is_one_more:
        members += 1
        due = time.monotonic() + pace
    taken = [pool.take() for _ in range(members)]
    for connection in taken:
        pool.use(connection)
    for connection in taken:
        pool.put_back(connection)
    if is_one_more:
        print(f"pooled {members}", flush=True)
    if members == size:
        rounds += 1
        print(f"round {rounds}", flush=True)
